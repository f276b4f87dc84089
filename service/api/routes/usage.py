"""GET /usage: what the tenant of the key stores and uses."""

from fastapi import APIRouter

from service import errors
from service.api.admin_schemas import UsageInfo, usage_of
from service.api.dependencies import KEY_SCHEMES, Cases, Tenant
from service.api.problem_details import responses

router = APIRouter(tags=["usage"], dependencies=KEY_SCHEMES)


@router.get("/usage", operation_id="get_usage", responses=responses(errors.Unauthorized, errors.Unavailable))
async def get_usage(tenant: Tenant, cases: Cases) -> UsageInfo:
    """What you store, may store and use, and used on the last 31 days. No rate limits this call."""
    return usage_of(await cases.tenants.use(tenant))
