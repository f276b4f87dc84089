"""The dependencies of the routes.

All functions are `async`, because FastAPI runs other functions in threads, which takes longer than their work. `/adapt`
and `/predict` call them directly: resolving FastAPI dependencies took much of the time of a predict.
"""

import asyncio
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from service.api.auth import Guard
from service.api.schemas import CLIENT_ID
from service.cards import Catalogue
from service.errors import RateExceeded
from service.store.records import ClientKey
from service.use_cases.adapting import Adapting
from service.use_cases.clients import Clients
from service.use_cases.editing import Editing
from service.use_cases.explaining import Explaining
from service.use_cases.feedback import Feedback
from service.use_cases.judging import Judging
from service.use_cases.keys import Keys
from service.use_cases.limits import Limits
from service.use_cases.metering import Metering, check
from service.use_cases.networks import Networks
from service.use_cases.predicting import Predicting
from service.use_cases.suggesting import Suggesting
from service.use_cases.tenants import Tenants
from service.use_cases.transfer import Transfer
from service.use_cases.versioning import Versioning

UNCOUNTED = ("/admin", "/usage", "/limits")
"""Paths of calls that no rate limits: they say what a tenant may do, and change it."""
REFUSED_S = 0.05
"""Seconds until a request over the rate is answered. Clients that retry at once would take this process from others."""


class UseCases(NamedTuple):
    """The use cases, for the clients of all tenants."""

    adapting: Adapting
    predicting: Predicting
    clients: Clients
    editing: Editing
    versioning: Versioning
    transfer: Transfer
    networks: Networks
    judging: Judging
    feedback: Feedback
    suggesting: Suggesting
    explaining: Explaining
    keys: Keys
    tenants: Tenants
    limits: Limits


async def use_cases(request: Request) -> UseCases:
    """The use cases."""
    found: UseCases = request.app.state.use_cases
    return found


async def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


async def tenant(request: Request) -> str:
    """The tenant of the request, if its key has the scope of the route and its rate allows another request.

    Raises the errors of `Guard.admit`, and RateExceeded.
    """
    guard: Guard = request.app.state.guard
    access = await guard.admit(request)
    if not request.scope["route"].path.startswith(UNCOUNTED):
        metering: Metering = request.app.state.metering
        request.state.taken = await metering.admit(access.tenant)
        try:
            check(request.state.taken)
        except RateExceeded:
            await asyncio.sleep(REFUSED_S)
            raise
    return access.tenant


Cases = Annotated[UseCases, Depends(use_cases)]
Models = Annotated[Catalogue, Depends(_catalogue)]
Tenant = Annotated[str, Depends(tenant)]

KEY_SCHEMES = [Depends(HTTPBearer(auto_error=False)), Depends(APIKeyHeader(name="X-API-Key", auto_error=False))]
"""For OpenAPI, so that /docs asks for a key."""


async def _client(tenant: Tenant, client_id: Annotated[str, Path(pattern=CLIENT_ID)]) -> ClientKey:
    return ClientKey(tenant, client_id)


Client = Annotated[ClientKey, Depends(_client)]
