"""GET /clients, GET and DELETE /clients/{client_id}."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service import errors
from service.api.dependencies import KEY_SCHEMES, Cases, Client, Tenant
from service.api.known_query import DECLARED_QUERY
from service.api.preconditions import IF_MATCH, if_match
from service.api.problem_details import responses
from service.api.schemas import CLIENT_ID, ClientInfo, ClientPage
from service.store.records import Record

router = APIRouter(prefix="/clients", tags=["clients"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])

PART = 25
"""Clients that are read at a time. A page is over its limit by less than these."""

FAILURES = responses(errors.Unauthorized, errors.Unprocessable, errors.Unavailable)
FAILURES_OF_ONE = responses(errors.Unauthorized, errors.UnknownClient, errors.Unprocessable, errors.Unavailable)
FAILURES_OF_SHOWN = FAILURES_OF_ONE | responses(errors.CorruptRecord)


@router.get("", operation_id="list_clients", responses=FAILURES)
async def list_clients(
    request: Request,
    cases: Cases,
    tenant: Tenant,
    cursor: Annotated[
        str, Query(pattern=CLIENT_ID + "|^$", description="The `next_cursor` of the previous page.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ClientPage:
    """The adapted clients, sorted by id. A page may be shorter than `limit`; `next_cursor` leads to the next page."""
    most: int = request.app.state.settings.max_answer_bytes
    page: list[ClientInfo] = []
    size, more = 0, True
    while more and size < most and len(page) < limit:
        wanted = min(PART, limit - len(page))
        records = await cases.clients.page(tenant, after=page[-1].client_id if page else cursor, limit=wanted)
        page += [_info(record) for record in records]
        size += sum(_size(record) for record in records)
        more = len(records) == wanted
    return ClientPage(clients=page, next_cursor=page[-1].client_id if more and page else None)


@router.get("/{client_id}", operation_id="get_client", responses=FAILURES_OF_SHOWN)
async def get_client(response: Response, client: Client, cases: Cases) -> ClientInfo:
    """One client, with the entity tag of its current version."""
    record = await cases.clients.show(client)
    response.headers["ETag"] = record.etag
    return _info(record)


@router.delete(
    "/{client_id}",
    operation_id="forget_client",
    status_code=204,
    responses=FAILURES_OF_SHOWN | responses(errors.PreconditionFailed),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def forget_client(request: Request, client: Client, cases: Cases) -> None:
    """Forget a client: its examples, its versions and its states."""
    await cases.clients.forget(client, if_match(request))


def _size(record: Record) -> int:
    """The approximate bytes of a client in an answer. Most of them are classes."""
    return 300 + sum(len(str(label)) for label in record.classes or ())


def _info(record: Record) -> ClientInfo:
    return ClientInfo(**record.model_dump(include=set(ClientInfo.model_fields)))
