"""Handful on Ray Serve: `serve run deploy.ray_serve:app`. See docs/ray-serve.md."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.config import RequestRouterConfig

from service.app import create_app
from service.cards import Catalogue
from service.engine.base import Engine
from service.process.own_worker import own_worker
from service.settings import Settings

MAX_ONGOING_REQUESTS = 1024
"""Maximum concurrent requests of a replica. If the queue of its worker is full, they get 429."""
HEALTH_PERIOD_S, HEALTH_TIMEOUT_S = 30, 30
"""Ray replaces a replica that fails three checks in a row. A worker that restarts must be back before that."""
DRAIN_S = 10
"""Seconds that a replica waits, after the deadline of its last request, before Ray kills it."""
ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
"""Sends the requests of one session to one replica. The session is the header RAY_SERVE_SESSION_ID_HEADER_KEY."""


def build() -> FastAPI:
    """Build the service of one replica. Ray calls it in the replica's process. The environment has the settings.

    Raises:
        ValueError: HANDFUL_REDIS_URL is not set. Replicas share clients only through a Redis that all of them reach.
    """
    settings = Settings()
    if settings.redis_url is None:
        raise ValueError("Set HANDFUL_REDIS_URL: the replicas share their clients through Redis.")
    catalogue = Catalogue(settings.models, settings.serve, settings.own_models)
    return create_app(settings, settings.redis_url, catalogue, _running_worker(settings))


@asynccontextmanager
async def _running_worker(settings: Settings) -> AsyncIterator[Engine]:
    """An engine whose worker runs. Ray sends requests, and checks the health, only after this."""
    async with own_worker(settings) as engine:
        while not engine.alive():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        yield engine


@serve.ingress(build)
class Handful:
    """One replica: the HTTP API, with a worker as its child process."""

    app: FastAPI

    async def check_health(self) -> None:
        """Called by Ray. Fails if the worker cannot adapt and predict.

        A Redis that is away does not count: another replica would not reach it either, and would start with an empty
        cache. `/readyz` tells it.
        """
        await self.app.state.readiness.check_device()


def _router() -> dict[str, Any]:
    """How the Python proxy chooses a replica. HAProxy has its own way, and Ray refuses a router beside it."""
    return {} if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" else {"request_router_class": ROUTER}


def deployment(settings: Settings) -> serve.Application:
    """An application of `settings.replicas` replicas. Each has a GPU if `settings.device` is a GPU."""
    gpus = 1 if settings.device.startswith("cuda") else 0
    options = serve.deployment(
        num_replicas=settings.replicas,
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        graceful_shutdown_timeout_s=settings.deadline_s + DRAIN_S,
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        request_router_config=RequestRouterConfig(**_router()),
        ray_actor_options={"num_gpus": gpus},
    )
    return options(Handful).bind()


app = deployment(Settings())
