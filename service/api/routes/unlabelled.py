"""POST /clients/{client_id}/unlabelled."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptResponse
from service.api.answers import adapted_response
from service.api.client_failures import BODY, CHANGES
from service.api.client_schemas import UnlabelledRequest
from service.api.dependencies import use_cases
from service.api.idempotency_key import IDEMPOTENCY_KEY, key_of
from service.api.preconditions import if_match
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, read
from service.use_cases.adapting import Teaching
from service.use_cases.gathering import Given

bodies = APIRouter(prefix="/clients/{client_id}", tags=["examples"], route_class=BodyRoute)

DOCUMENTED = documented_json(UnlabelledRequest, "client_id")
DOCUMENTED["parameters"].append(IDEMPOTENCY_KEY)


@bodies.post(
    "/unlabelled",
    operation_id="add_unlabelled",
    response_model=AdaptResponse,
    responses=responses(
        *CHANGES, *BODY, errors.BadRequest, errors.RequestInProgress, errors.KeyReused, errors.TooCostly
    ),
    openapi_extra=DOCUMENTED,
)
async def add_unlabelled(request: Request) -> Response:
    """Add inputs without labels to the examples of a client, and adapt again. The model answers them and learns from
    its answers, as far as it is sure of them. PATCH gives one of them a label."""
    cases, client = await use_cases(request), client_of(request)
    key, expected = await key_of(request, client.client_id), if_match(request)
    body = await read(request, UnlabelledRequest)
    given = [Given(one, None, name) for one, name in zip(body.inputs, body.names(), strict=True)]
    teaching = Teaching(None, given, request=key, expected=expected, unlabelled=True)
    return await adapted_response(await cases.adapting.append(client, teaching))
