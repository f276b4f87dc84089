"""The admin API: keys. Every call needs a key with the scope `admin`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from service import errors
from service.api.admin_schemas import KeyInfo, KeyList, NewKeyInfo, NewKeyRequest, RotateRequest, info_of, new_info_of
from service.api.client_failures import BODY
from service.api.dependencies import KEY_SCHEMES, Cases, Tenant, use_cases
from service.api.known_query import DECLARED_QUERY
from service.api.parsing import SAFETENSORS
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.settings import Tenant as TenantName
from service.use_cases.keys import Listed, NewKey

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])
bodies = APIRouter(prefix="/admin", tags=["admin"], route_class=BodyRoute)
"""Routes that read a body."""

FAILURES = (errors.Unauthorized, errors.Unprocessable, errors.Unavailable)
CHANGES = (*FAILURES, *BODY, errors.StoreFull, errors.Contended)

KEY_ID = r"^[a-z0-9]{12}$"
KeyId = Annotated[str, Path(pattern=KEY_ID, description="The id of the key.")]


def json_body(model: type[BaseModel], **parameters: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI of a route that needs a key, has these parameters in its path, and reads its body as JSON."""
    documents = documented(model)
    del documents["requestBody"]["content"][SAFETENSORS]
    named = [{"name": name, "in": "path", "required": True, "schema": each} for name, each in parameters.items()]
    return documents | {"parameters": named}


@bodies.post(
    "/keys",
    operation_id="create_key",
    status_code=201,
    response_model=NewKeyInfo,
    responses=responses(*CHANGES),
    openapi_extra=json_body(NewKeyRequest),
)
async def create_key(request: Request) -> Response:
    """Make an API key. The answer shows it, once. From the first key on, every request needs one."""
    cases, body = await use_cases(request), await read(request, NewKeyRequest)
    return _shown(request, await cases.keys.create(body.tenant, body.scopes, body.expires_s))


@router.get("/keys", operation_id="list_keys", responses=responses(*FAILURES))
async def list_keys(
    _: Tenant, cases: Cases, tenant: Annotated[TenantName | None, Query(description="Only its keys.")] = None
) -> KeyList:
    """The API keys, with their last use."""
    return KeyList(keys=[info_of(listed) for listed in await cases.keys.list(tenant)])


@bodies.post(
    "/keys/{key_id}/rotate",
    operation_id="rotate_key",
    status_code=201,
    response_model=NewKeyInfo,
    responses=responses(*CHANGES, errors.UnknownKey, errors.Conflict),
    openapi_extra=json_body(RotateRequest, key_id={"type": "string", "pattern": KEY_ID}),
)
async def rotate_key(request: Request) -> Response:
    """Make an API key in place of another one. Both are valid; the one before both is revoked."""
    cases, body = await use_cases(request), await read(request, RotateRequest)
    return _shown(request, await cases.keys.rotate(request.path_params["key_id"], overlap_s=body.overlap_s))


@router.delete(
    "/keys/{key_id}",
    operation_id="revoke_key",
    responses=responses(*FAILURES, errors.UnknownKey, errors.Contended),
)
async def revoke_key(_: Tenant, cases: Cases, key_id: KeyId) -> KeyInfo:
    """Revoke an API key. It is refused after at most two seconds."""
    return info_of(Listed(await cases.keys.revoke(key_id), None))


def _shown(request: Request, made: NewKey) -> Response:
    """A new key. The audit log names it by its id."""
    request.state.target = made.key.id
    content = new_info_of(made).model_dump(mode="json")
    return JSONResponse(content, 201, {"Cache-Control": "no-store"})
