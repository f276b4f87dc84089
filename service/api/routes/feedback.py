"""POST /clients/{client_id}/feedback."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptResponse
from service.api.answers import adapted_response
from service.api.client_failures import BODY, CHANGES
from service.api.client_schemas import FeedbackRequest
from service.api.dependencies import use_cases
from service.api.idempotency_key import IDEMPOTENCY_KEY, key_of
from service.api.preconditions import if_match
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, read
from service.api.sent_labels import sent_label

bodies = APIRouter(prefix="/clients/{client_id}", tags=["examples"], route_class=BodyRoute)

DOCUMENTED = documented_json(FeedbackRequest, "client_id")
DOCUMENTED["parameters"].append(IDEMPOTENCY_KEY)


@bodies.post(
    "/feedback",
    operation_id="give_feedback",
    response_model=AdaptResponse,
    responses=responses(
        *CHANGES,
        *BODY,
        errors.BadRequest,
        errors.UnknownPrediction,
        errors.RequestInProgress,
        errors.KeyReused,
        errors.TooCostly,
    ),
    openapi_extra=DOCUMENTED,
)
async def give_feedback(request: Request) -> Response:
    """Make an example of a recent query, by the id of its prediction and the right label. The client must keep queries:
    `keep_queries_s` of /adapt."""
    cases, client = await use_cases(request), client_of(request)
    key, expected = await key_of(request, client.client_id), if_match(request)
    body = await read(request, FeedbackRequest)
    label = sent_label(body.label, body.labels, body.model_fields_set)
    return await adapted_response(await cases.feedback.give(client, body.id, label, key, expected))
