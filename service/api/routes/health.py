"""GET /healthz, /readyz and /metrics. None needs a key."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service import errors
from service import metrics as measured
from service.api.problem_details import responses

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="healthz", responses=responses())
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", operation_id="readyz", responses=responses(errors.Unavailable))
async def readyz(request: Request) -> dict[str, str]:
    """Ready: Redis accepts writes, and the worker has just adapted and predicted with the default model."""
    await request.app.state.readiness.check()
    return {"status": "ready"}


@router.get("/metrics", operation_id="metrics", include_in_schema=False)
async def metrics() -> Response:
    """Metrics for Prometheus."""
    return Response(measured.exposition(), media_type=CONTENT_TYPE_LATEST)
