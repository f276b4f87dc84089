"""POST /adapt."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.dependencies import tenant, use_cases
from service.api.problem_details import responses
from service.api.request_body import Direct, documented, read, written
from service.api.schemas import AdaptRequest, AdaptResponse, warnings_of
from service.store.records import ClientKey

router = APIRouter(tags=["clients"], route_class=Direct)

FAILURES = responses(
    errors.BadRequest,
    errors.Unauthorized,
    errors.UnknownModel,
    errors.UnknownClient,
    errors.Conflict,
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Unprocessable,
    errors.TooManyWays,
    errors.Diverged,
    errors.Busy,
    errors.Unavailable,
    errors.StoreFull,
    errors.DeadlineExceeded,
)


@router.post(
    "/adapt",
    operation_id="adapt",
    response_model=AdaptResponse,
    responses=FAILURES,
    openapi_extra=documented(AdaptRequest),
)
async def adapt(request: Request) -> Response:
    """Make, replace or extend a client's model from labelled examples. Answered 200, it survives a crash."""
    whose, clients, body = await tenant(request), await use_cases(request), await read(request, AdaptRequest)
    raw = [(example.input, example.label) for example in body.support]
    learn = clients.append if body.mode == "append" else clients.adapt
    adapted = await learn(ClientKey(whose, body.client_id), body.model, raw, body.ttl_s)
    known = adapted.record.model_dump(include=set(AdaptResponse.model_fields))
    return written(
        AdaptResponse(
            **known,
            state_bytes=adapted.state_bytes,
            warnings=warnings_of(adapted.warnings),
            timings_ms=adapted.timings_ms,
        )
    )
