"""GET /usage and GET /limits: what the tenant of the key stores and uses, and what is allowed now."""

from fastapi import APIRouter

from service import errors
from service.api.admin_schemas import LimitsInfo, UsageInfo, limits_of, usage_of
from service.api.dependencies import KEY_SCHEMES, Cases, Tenant
from service.api.known_query import DECLARED_QUERY
from service.api.problem_details import responses

router = APIRouter(tags=["usage"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])

FAILURES = responses(errors.Unauthorized, errors.Unprocessable, errors.Unavailable, errors.DeadlineExceeded)


@router.get("/usage", operation_id="get_usage", responses=FAILURES)
async def get_usage(tenant: Tenant, cases: Cases) -> UsageInfo:
    """What you store, may store and use, and used on the last 31 days. No rate limits this call."""
    return usage_of(await cases.tenants.use(tenant))


@router.get("/limits", operation_id="get_limits", responses=FAILURES)
async def get_limits(tenant: Tenant, cases: Cases) -> LimitsInfo:
    """The largest requests that are accepted now, by model, from the measured costs. No rate limits this call."""
    quota, left = await cases.limits.left(tenant)
    return limits_of(quota, left, await cases.limits.of_models())
