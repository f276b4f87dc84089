"""The dependencies of the routes.

All functions are `async`, because FastAPI runs other functions in threads, which takes longer than their work. `/adapt`
and `/predict` call them directly: resolving FastAPI dependencies took much of the time of a predict.
"""

from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from service.api.auth import tenant_of
from service.api.schemas import CLIENT_ID
from service.cards import Catalogue
from service.settings import Settings
from service.store.records import ClientKey
from service.use_cases.adaptation import Adaptation
from service.use_cases.editing import Editing
from service.use_cases.quality import Judging
from service.use_cases.transfer import Transfer
from service.use_cases.versioning import Versioning


async def use_cases(request: Request) -> Adaptation:
    """The use cases."""
    clients: Adaptation = request.app.state.clients
    return clients


async def editing(request: Request) -> Editing:
    """The use cases on examples."""
    edits: Editing = request.app.state.editing
    return edits


async def versioning(request: Request) -> Versioning:
    """The use cases on versions."""
    versions: Versioning = request.app.state.versioning
    return versions


async def transfer(request: Request) -> Transfer:
    """The use cases that move clients between services."""
    moves: Transfer = request.app.state.transfer
    return moves


async def judging(request: Request) -> Judging:
    """The use case of judging clients."""
    judges: Judging = request.app.state.judging
    return judges


async def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


async def tenant(request: Request) -> str:
    """The tenant of the request. Raises Unauthorized."""
    settings: Settings = request.app.state.settings
    return tenant_of(request, settings.api_keys)


UseCases = Annotated[Adaptation, Depends(use_cases)]
Edits = Annotated[Editing, Depends(editing)]
Versions = Annotated[Versioning, Depends(versioning)]
Transfers = Annotated[Transfer, Depends(transfer)]
Judges = Annotated[Judging, Depends(judging)]
Models = Annotated[Catalogue, Depends(_catalogue)]
Tenant = Annotated[str, Depends(tenant)]

KEY_SCHEMES = [Depends(HTTPBearer(auto_error=False)), Depends(APIKeyHeader(name="X-API-Key", auto_error=False))]
"""For OpenAPI, so that /docs asks for a key."""


async def _client(tenant: Tenant, client_id: Annotated[str, Path(pattern=CLIENT_ID)]) -> ClientKey:
    return ClientKey(tenant, client_id)


Client = Annotated[ClientKey, Depends(_client)]
