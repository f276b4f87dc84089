"""GET /clients, GET and DELETE /clients/{client_id}."""

from typing import Annotated

from fastapi import APIRouter, Query

from service import errors
from service.api.dependencies import KEY_SCHEMES, Client, Tenant, UseCases
from service.api.problem_details import responses
from service.api.schemas import CLIENT_ID, ClientInfo, ClientPage
from service.store.records import Record

router = APIRouter(prefix="/clients", tags=["clients"], dependencies=KEY_SCHEMES)

FAILURES = responses(errors.Unauthorized, errors.Unprocessable, errors.Unavailable)
FAILURES_OF_ONE = responses(errors.Unauthorized, errors.UnknownClient, errors.Unprocessable, errors.Unavailable)
FAILURES_OF_SHOWN = FAILURES_OF_ONE | responses(errors.CorruptRecord)


@router.get("", operation_id="list_clients", responses=FAILURES)
async def list_clients(
    clients: UseCases,
    tenant: Tenant,
    cursor: Annotated[str, Query(pattern=CLIENT_ID + "|^$", description="`next_cursor` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ClientPage:
    """The adapted clients, in the order of their ids."""
    records = await clients.page(tenant, after=cursor, limit=limit)
    page = [_info(record) for record in records]
    return ClientPage(clients=page, next_cursor=page[-1].client_id if len(page) == limit else None)


@router.get("/{client_id}", operation_id="get_client", responses=FAILURES_OF_SHOWN)
async def get_client(client: Client, clients: UseCases) -> ClientInfo:
    """What is known of one client."""
    return _info(await clients.show(client))


@router.delete("/{client_id}", operation_id="forget_client", status_code=204, responses=FAILURES_OF_ONE)
async def forget_client(client: Client, clients: UseCases) -> None:
    """Forget a client: its examples and its states."""
    await clients.forget(client)


def _info(record: Record) -> ClientInfo:
    return ClientInfo(**record.model_dump(include=set(ClientInfo.model_fields)))
