"""POST /adapt."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.answers import written
from service.api.dependencies import use_cases
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.api.schemas import AdaptRequest, AdaptResponse, warnings_of
from service.store.records import ClientKey

router = APIRouter(tags=["clients"], route_class=BodyRoute)

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
    errors.Overloaded,
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
    """Make, replace or extend a client's model from labelled examples. A model answered with 200 survives a crash."""
    clients, body = await use_cases(request), await read(request, AdaptRequest)
    raw = [(example.input, example.label) for example in body.support]
    learn = clients.append if body.mode == "append" else clients.adapt
    adapted = await learn(ClientKey(request.state.tenant, body.client_id), body.model, raw, body.ttl_s)
    known = adapted.record.model_dump(include=set(AdaptResponse.model_fields))
    answer = AdaptResponse(
        **known,
        state_bytes=adapted.state_bytes,
        warnings=warnings_of(adapted.warnings),
        timings_ms=adapted.timings_ms,
    )
    return await written(lambda: answer, 0)
