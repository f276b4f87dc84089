"""POST /adapt."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.dependencies import tenant, use_cases
from service.api.problem_details import responses
from service.api.request_body import Direct, documented, read, written
from service.api.schemas import AdaptRequest, AdaptResponse, warnings_of
from service.idempotency import HEADER, request_key
from service.inputs import executor
from service.store.records import ClientKey, RequestKey

router = APIRouter(tags=["clients"], route_class=Direct)

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
    errors.KeyReused,
    errors.Diverged,
    errors.Busy,
    errors.Unavailable,
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
    """Make, replace or extend a client's model from labelled examples. Answered 200, it survives a crash."""
    whose, clients = await tenant(request), await use_cases(request)
    key, body = await _key(request), await read(request, AdaptRequest)
    raw = [(example.input, example.label) for example in body.support]
    learn = clients.append if body.mode == "append" else clients.adapt
    adapted = await learn(ClientKey(whose, body.client_id), body.model, raw, body.ttl_s, key)
    known = adapted.record.model_dump(include=set(AdaptResponse.model_fields))
    return written(
        AdaptResponse(
            **known,
            state_bytes=adapted.state_bytes,
            warnings=warnings_of(adapted.warnings),
            timings_ms=adapted.timings_ms,
        )
    )


async def _key(request: Request) -> RequestKey | None:
    values, content_type = request.headers.getlist(HEADER), request.headers.get("content-type", "")
    body = await request.body()
    return await executor.run(lambda: request_key(values, content_type, body), len(body)) if values else None
