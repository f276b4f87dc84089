"""GET /healthz, /readyz and /metrics. None asks for a key."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service import errors
from service import metrics as measured
from service.api.problem_details import responses

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", operation_id="healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", operation_id="readyz", responses=responses(errors.Unavailable))
async def readyz(request: Request) -> dict[str, str]:
    """Truly ready: Redis answers, and the worker has just done an adapt and a predict of the default model."""
    await request.app.state.readiness.check()
    return {"status": "ready"}


@router.get("/metrics", operation_id="metrics", include_in_schema=False)
async def metrics() -> Response:
    """What Prometheus scrapes."""
    return Response(measured.exposition(), media_type=CONTENT_TYPE_LATEST)
