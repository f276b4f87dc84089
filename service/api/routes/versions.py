"""The versions of a client: list, roll back, copy, move to another model, adapt again."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptResponse
from service.api.answers import adapted_response
from service.api.client_failures import BODY, CHANGES, PAST, READS
from service.api.client_schemas import CopyRequest, MoveRequest, Readapted, RollbackRequest, VersionInfo, VersionList
from service.api.dependencies import KEY_SCHEMES, Cases, Client, use_cases
from service.api.known_query import DECLARED_QUERY
from service.api.preconditions import if_match
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, read
from service.store.records import Gone, Record

router = APIRouter(prefix="/clients/{client_id}", tags=["versions"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])
bodies = APIRouter(prefix="/clients/{client_id}", tags=["versions"], route_class=BodyRoute)
"""Routes that read a body."""


@router.get("/versions", operation_id="list_versions", responses=responses(*READS))
async def list_versions(client: Client, cases: Cases) -> VersionList:
    """The versions that are kept, the latest first."""
    return VersionList(versions=[_info(each) for each in await cases.versioning.versions(client)])


@router.post(
    "/readapt",
    operation_id="readapt",
    responses=responses(*CHANGES),
)
async def readapt(client: Client, cases: Cases) -> Readapted:
    """Adapt again if the checkpoint of the model was replaced. Otherwise this happens at the next predict."""
    record, done = await cases.versioning.readapt(client)
    return Readapted(client_id=record.client_id, model=record.model, version=record.version, readapted=done)


@bodies.post(
    "/rollback",
    operation_id="rollback",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, *PAST),
    openapi_extra=documented_json(RollbackRequest, "client_id"),
)
async def rollback(request: Request) -> Response:
    """Make a new version with the model and the examples of an earlier one."""
    cases, client, expected = await use_cases(request), client_of(request), if_match(request)
    body = await read(request, RollbackRequest)
    return await adapted_response(await cases.versioning.rollback(client, body.version, expected))


@bodies.post(
    "/model",
    operation_id="move_client",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, errors.UnknownModel, errors.TooCostly),
    openapi_extra=documented_json(MoveRequest, "client_id"),
)
async def move(request: Request) -> Response:
    """Adapt another model to the examples of the client. It must take the same inputs."""
    cases, client, expected = await use_cases(request), client_of(request), if_match(request)
    body = await read(request, MoveRequest)
    return await adapted_response(await cases.versioning.move(client, body.model, expected))


@bodies.post(
    "/copy",
    operation_id="copy_client",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, *PAST),
    openapi_extra=documented_json(CopyRequest, "client_id", changes=False),
)
async def copy(request: Request) -> Response:
    """Make another client of the same examples, for instance to try a change."""
    cases, client, body = await use_cases(request), client_of(request), await read(request, CopyRequest)
    return await adapted_response(await cases.versioning.copy(client, body.client_id, body.version))


def _info(version: Record | Gone) -> VersionInfo:
    if isinstance(version, Gone):
        return VersionInfo(version=version.version, gone=version.receipt)
    known = version.model_dump(include=set(VersionInfo.model_fields) - {"created_at"})
    return VersionInfo(**known, created_at=version.updated_at)
