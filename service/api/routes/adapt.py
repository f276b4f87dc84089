"""POST /adapt."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptRequest, AdaptResponse, Example
from service.api.answers import adapted_response
from service.api.bodies.uploads import documented_query
from service.api.dependencies import use_cases
from service.api.idempotency_key import IDEMPOTENCY_KEY, key_of
from service.api.preconditions import IF_MATCH, if_match
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.api.sent_labels import sent_label
from service.store.records import ClientKey
from service.use_cases.adapting import Teaching
from service.use_cases.gathering import Given

router = APIRouter(tags=["clients"], route_class=BodyRoute)

FAILURES = responses(
    errors.BadRequest,
    errors.Unauthorized,
    errors.UnknownModel,
    errors.UnknownClient,
    errors.Conflict,
    errors.Contended,
    errors.CorruptRecord,
    errors.RequestInProgress,
    errors.PreconditionFailed,
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Unprocessable,
    errors.TooManyWays,
    errors.TooCostly,
    errors.KeyReused,
    errors.Diverged,
    errors.Busy,
    errors.Unavailable,
    errors.Overloaded,
    errors.StoreFull,
    errors.DeadlineExceeded,
)


PARAMETERS = [IDEMPOTENCY_KEY, IF_MATCH, *documented_query(AdaptRequest, "support")]


@router.post(
    "/adapt",
    operation_id="adapt",
    response_model=AdaptResponse,
    responses=FAILURES,
    openapi_extra=documented(AdaptRequest) | {"parameters": PARAMETERS},
)
async def adapt(request: Request) -> Response:
    """Create, replace or extend a client's model from labelled examples. An answer of 200 means that it is stored."""
    cases, key, expected = await use_cases(request), await key_of(request), if_match(request)
    body = await read(request, AdaptRequest)
    given = [Given(example.input, _label(example, i), example.id) for i, example in enumerate(body.support)]
    teach = cases.adapting.append if body.mode == "append" else cases.adapting.adapt
    teaching = Teaching(body.model, given, body.ttl_s, key, body.use_label_names, body.keep_duplicates, expected)
    teaching = teaching._replace(keep_queries_s=body.keep_queries_s, keep=body.keep, half_life_s=body.half_life_s)
    client = ClientKey(request.state.tenant, body.client_id)
    request.state.client_id = body.client_id  # for the audit log
    adapted = await teach(client, teaching)
    quality = await cases.judging.after_adapt(client, adapted.record) if body.quality else None
    return await adapted_response(adapted, quality)


def _label(example: Example, number: int) -> Any:
    return sent_label(example.label, example.labels, example.model_fields_set, f"support[{number}].")
