"""The one place where things are wired."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI

from service import metrics
from service.adaptation import Adaptation
from service.api import problem_details
from service.api.auth import tenants
from service.api.middleware import BodyLimit, CancelOnDisconnect, RequestMetrics
from service.api.readiness import Readiness
from service.api.routes import adapt, clients, health, models, predict
from service.cards import Catalogue
from service.engine.base import Engine
from service.errors import Unavailable
from service.inputs.executor import Decoder
from service.settings import Settings
from service.store.store import Store

ROUTERS = (adapt.router, predict.router, clients.router, models.router, health.router)


log = logging.getLogger(__name__)

SWEEP_S = 60
"""Between two removals of expired clients, which until then are answered as gone, and two counts of those there are."""
WORKER_WAIT_S = 2
"""For the workers that are there to say so, before requests are let in."""


def create_app(
    settings: Settings, redis_url: str, catalogue: Catalogue, engine: AbstractAsyncContextManager[Engine]
) -> FastAPI:
    """The service over an engine, which lives as long as the service runs.

    Raises UnknownModel when the default model is not in the catalogue, ValueError when the URL names no Redis.
    """
    store = Store(redis_url, timeout_s=settings.redis_timeout_s, state_ttl_s=settings.state_ttl_s)
    default = catalogue[settings.default_model]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(store.close)
            decoder = Decoder(settings)
            stack.push_async_callback(decoder.close)
            entered = await stack.enter_async_context(engine)
            sweeping = asyncio.create_task(_sweep(store, tenants(settings.api_keys)))
            stack.callback(sweeping.cancel)
            app.state.clients = Adaptation(catalogue, entered, store, settings, decoder)
            app.state.readiness = Readiness(store, entered, default, decoder)
            await _wait_for_worker(entered)
            yield

    app = FastAPI(
        title="Handful",
        summary="Teach a model from a handful of examples, per client, over REST.",
        version=version("handful"),
        lifespan=lifespan,
    )
    app.state.settings, app.state.catalogue = settings, catalogue
    for router in ROUTERS:
        app.include_router(router)
    problem_details.install(app)
    app.add_middleware(CancelOnDisconnect)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, seconds=settings.receive_timeout_s)
    app.add_middleware(RequestMetrics)
    return app


async def _wait_for_worker(engine: Engine) -> None:
    """So that a process that joins others refuses nothing that they would have taken."""
    with suppress(TimeoutError):
        async with asyncio.timeout(WORKER_WAIT_S):
            while not engine.alive():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def _sweep(store: Store, tenants: Sequence[str]) -> None:
    while True:
        try:
            await store.sweep()
            metrics.clients.set(sum([await store.count(tenant) for tenant in tenants]))
        except Unavailable:
            log.warning(
                "expired clients were not removed or counted, for the store is away; tried again in %d s", SWEEP_S
            )
        except Exception:
            log.exception("expired clients were not removed or counted; tried again in %d s", SWEEP_S)
        await asyncio.sleep(SWEEP_S)
