"""How good a client is."""

from typing import Annotated

from fastapi import APIRouter, Query

from service import errors
from service.api.dependencies import KEY_SCHEMES, Client, Judges
from service.api.problem_details import responses
from service.api.routes.examples import READS
from service.quality import Quality

router = APIRouter(prefix="/clients/{client_id}", tags=["quality"], dependencies=KEY_SCHEMES)

FAILURES = responses(
    *READS, errors.UnknownVersion, errors.VersionGone, errors.Contended, errors.Busy, errors.DeadlineExceeded
)


@router.get("/quality", operation_id="get_quality", responses=FAILURES)
async def get_quality(
    client: Client,
    judges: Judges,
    version: Annotated[int | None, Query(ge=1, le=2**53, description="Default: the current version.")] = None,
) -> Quality:
    """How good a client is, by its own examples: each is left out, the model adapts to the others and answers it."""
    return await judges.quality(client, version)
