"""POST /adapt."""

from typing import Annotated

from fastapi import APIRouter

from service import errors
from service.problems import responses
from service.records import ClientKey
from service.routes.bodies import body_of, documented
from service.routes.dependencies import KEY_SCHEMES, Tenant, UseCases
from service.schemas import AdaptRequest, AdaptResponse

router = APIRouter(tags=["clients"], dependencies=KEY_SCHEMES)

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


@router.post("/adapt", operation_id="adapt", responses=FAILURES, openapi_extra=documented(AdaptRequest))
async def adapt(
    tenant: Tenant, clients: UseCases, body: Annotated[AdaptRequest, body_of(AdaptRequest)]
) -> AdaptResponse:
    """Make, replace or extend a client's model from labelled examples. Answered 200, it survives a crash."""
    client = ClientKey(tenant, body.client_id)
    raw = [(example.input, example.label) for example in body.support]
    learn = clients.append if body.mode == "append" else clients.adapt
    adapted = await learn(client, body.model, raw, body.ttl_s)
    known = adapted.record.model_dump(include=set(AdaptResponse.model_fields))
    return AdaptResponse(**known, state_bytes=adapted.state_bytes, timings_ms=adapted.timings_ms)
