"""The admin API: tenants, their quotas and their use. Every call needs a key with the scope `admin`."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from service import errors
from service.api.admin_schemas import QuotaRequest, TenantList, UsageList, usage_of
from service.api.dependencies import KEY_SCHEMES, Cases, Tenant, use_cases
from service.api.known_query import DECLARED_QUERY
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, read
from service.api.routes.admin import CHANGES, FAILURES, json_body
from service.settings import Tenant as TenantName
from service.store.quotas import Quota
from service.use_cases.tenants import TenantReceipt

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])
bodies = APIRouter(prefix="/admin", tags=["admin"], route_class=BodyRoute)
"""Routes that read a body."""

TENANT = r"^[A-Za-z0-9_-]{1,64}$"
Name = Annotated[TenantName, Path(description="The name of the tenant.")]


@router.get("/tenants", operation_id="list_tenants", responses=responses(*FAILURES))
async def list_tenants(_: Tenant, cases: Cases) -> TenantList:
    """The names of all tenants that the settings name, or that have or had a key or a quota."""
    return TenantList(tenants=await cases.tenants.names())


@router.get("/usage", operation_id="get_all_usage", responses=responses(*FAILURES))
async def get_all_usage(_: Tenant, cases: Cases) -> UsageList:
    """What each tenant stores, may use, and used on the last 31 days."""
    return UsageList(tenants=[usage_of(use) for use in await cases.tenants.uses()])


@bodies.patch(
    "/tenants/{tenant}/quota",
    operation_id="set_quota",
    response_model=Quota,
    responses=responses(*CHANGES),
    openapi_extra=json_body(QuotaRequest, tenant={"type": "string", "pattern": TENANT}),
)
async def set_quota(request: Request) -> Response:
    """Change some fields of a tenant's quota. It takes effect within two seconds."""
    name: str = request.path_params["tenant"]
    cases, body = await use_cases(request), await read(request, QuotaRequest)
    quota = await cases.tenants.set_quota(checked(name), body.model_dump(exclude_unset=True))
    return JSONResponse(quota.model_dump(mode="json"))


@router.delete("/tenants/{name}", operation_id="delete_tenant", responses=responses(*FAILURES))
async def delete_tenant(_: Tenant, cases: Cases, name: Name) -> TenantReceipt:
    """Delete everything of a tenant: keys, clients, answers, counts and quota. The answer is the receipt."""
    return await cases.tenants.delete(name)


def checked(name: str) -> str:
    """The name of a tenant. Raises Unprocessable."""
    if not re.fullmatch(TENANT, name):
        raise errors.Unprocessable("tenant: takes 1 to 64 letters, digits, _ and -.", field="tenant")
    return name
