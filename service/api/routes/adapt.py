"""POST /adapt."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.answers import written
from service.api.dependencies import use_cases
from service.api.idempotency_key import HEADER, request_key
from service.api.parsing import THREADS
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.api.schemas import AdaptRequest, AdaptResponse
from service.store.records import ClientKey, RequestKey

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


IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "A key that is unique to this request, for instance a UUID. A retry with the same key and body gets "
    "the first answer and changes nothing.",
}


@router.post(
    "/adapt",
    operation_id="adapt",
    response_model=AdaptResponse,
    responses=FAILURES,
    openapi_extra=documented(AdaptRequest) | {"parameters": [IDEMPOTENCY_KEY]},
)
async def adapt(request: Request) -> Response:
    """Create, replace or extend a client's model from labelled examples. An answer of 200 means that it is stored."""
    clients, key = await use_cases(request), await _key(request)
    body = await read(request, AdaptRequest)
    raw = [(example.input, example.label) for example in body.support]
    learn = clients.append if body.mode == "append" else clients.adapt
    adapted = await learn(
        ClientKey(request.state.tenant, body.client_id), body.model, raw, body.ttl_s, key, body.use_label_names
    )
    known = adapted.record.model_dump(include=set(AdaptResponse.model_fields))
    answer = AdaptResponse(
        **known,
        state_bytes=adapted.state_bytes,
        names_used=adapted.names_used,
        warnings=adapted.warnings,
        timings_ms=adapted.timings_ms,
    )
    return await written(lambda: answer, 0)


async def _key(request: Request) -> RequestKey | None:
    values, content_type = request.headers.getlist(HEADER), request.headers.get("content-type", "")
    body = request.state.body
    return await THREADS.run(lambda: request_key(values, content_type, body), len(body)) if values else None
