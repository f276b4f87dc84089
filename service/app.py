"""Build the application. All parts are connected here."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service import metrics
from service.api import docs_page, playground, problem_details
from service.api.audit_requests import AuditRequests
from service.api.auth import OPEN_TENANT, Guard
from service.api.dependencies import UseCases
from service.api.key_cache import KeyCache
from service.api.memory_budget import MemoryBudget, ReleaseMemory
from service.api.middleware import Normalize, RequestMetrics, SendInPieces
from service.api.origins import OriginGuard
from service.api.rate_headers import RateHeaders
from service.api.readiness import Readiness
from service.api.request_context import RequestLog
from service.api.routes import (
    adapt,
    admin,
    clients,
    examples,
    feedback,
    health,
    inference_protocol,
    models,
    predict,
    quality,
    suggest,
    tenants,
    transfer,
    unlabelled,
    usage,
    versions,
)
from service.api.telemetry import telemetry
from service.api.tenant_shares import TenantShares
from service.audit import AuditLog
from service.cards import Catalogue
from service.engine.base import Engine
from service.errors import Unavailable
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.open_store import open_store
from service.store.store import Store
from service.use_cases.adapting import Adapting
from service.use_cases.clients import Clients
from service.use_cases.editing import Editing
from service.use_cases.explaining import Explaining
from service.use_cases.feedback import Feedback
from service.use_cases.judging import Judging
from service.use_cases.keys import Keys
from service.use_cases.learning import Learning
from service.use_cases.limits import Limits
from service.use_cases.metering import Metering
from service.use_cases.networks import Networks
from service.use_cases.predicting import Predicting
from service.use_cases.suggesting import Suggesting
from service.use_cases.tenants import Tenants
from service.use_cases.transfer import Transfer
from service.use_cases.versioning import Versioning

ROUTERS = (
    adapt.router,
    predict.router,
    clients.router,
    examples.router,
    examples.bodies,
    versions.router,
    versions.bodies,
    feedback.bodies,
    unlabelled.bodies,
    suggest.bodies,
    quality.router,
    quality.bodies,
    transfer.router,
    transfer.bodies,
    admin.router,
    admin.bodies,
    tenants.router,
    tenants.bodies,
    usage.router,
    models.router,
    health.router,
    inference_protocol.router,
    inference_protocol.bodies,
    docs_page.router,
)

log = logging.getLogger(__name__)

SWEEP_S = 60
"""Seconds between two sweeps, which remove expired clients and keys and count all clients."""
WORKER_WAIT_S = 2
"""Seconds to wait for the worker at startup."""


def create_app(
    settings: Settings, redis_url: str, catalogue: Catalogue, engine: AbstractAsyncContextManager[Engine]
) -> FastAPI:
    """Build the service. The engine is entered at startup.

    Raises:
        UnknownModel: The default model is not in the catalogue.
        ValueError: The URL is not that of a Redis.
    """
    store = open_store(redis_url, settings)
    catalogue[settings.default_model]  # raises UnknownModel now and not at startup
    audit = None if settings.audit_log is None else AuditLog(settings.audit_log)

    app = FastAPI(
        title="Handful",
        summary="Teach a model from a handful of examples, per client, over REST.",
        version=version("handful"),
        lifespan=lambda app: _running(app, store, engine, audit),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry=telemetry(tracing=settings.tracing),
    )
    app.state.settings, app.state.catalogue = settings, catalogue
    app.state.shares = TenantShares(settings.deadline_s)
    for router in ROUTERS:
        app.include_router(router)
    if settings.playground:
        app.include_router(playground.router)
    problem_details.install(app)
    _add_middleware(app, settings, audit)
    return app


@asynccontextmanager
async def _running(
    app: FastAPI, store: Store, engine: AbstractAsyncContextManager[Engine], audit: AuditLog | None
) -> AsyncIterator[None]:
    """Between startup and shutdown. What is opened here is closed in the opposite order."""
    settings: Settings = app.state.settings
    catalogue: Catalogue = app.state.catalogue
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        if audit is not None:
            stack.callback(audit.close)
        decoder = Decoder(settings)
        stack.push_async_callback(decoder.close)
        entered = await stack.enter_async_context(engine)
        keys = KeyCache(store.keys)
        stack.push_async_callback(keys.close)
        app.state.guard = Guard(settings, keys)
        app.state.metering = Metering(store.quotas, store.rates, entered, named=settings.tenant_metrics)
        await stack.enter_async_context(app.state.metering.reporting())
        stack.callback(asyncio.create_task(_sweep(store, settings)).cancel)
        app.state.use_cases = _use_cases(Learning(catalogue, entered, store, settings), decoder)
        app.state.readiness = Readiness(store, entered, catalogue[settings.default_model], decoder)
        await _wait_for_worker(entered)
        yield


def _use_cases(learning: Learning, decoder: Decoder) -> UseCases:
    store, settings, engine = learning.store, learning.settings, learning.engine
    adapting, predicting = Adapting(learning, decoder), Predicting(learning, decoder)
    return UseCases(
        adapting,
        predicting,
        Clients(learning),
        Editing(learning),
        Versioning(learning),
        Transfer(learning, decoder),
        Networks(learning),
        Judging(learning),
        Feedback(adapting, store),
        Suggesting(learning, predicting, decoder),
        Explaining(learning, predicting),
        Keys(store),
        Tenants(store, {OPEN_TENANT, *settings.api_keys}, engine.evict),
        Limits(learning.catalogue, engine, store, settings),
    )


def _add_middleware(app: FastAPI, settings: Settings, audit: AuditLog | None) -> None:
    """Add the middleware. The last one is the outermost."""
    total = max(settings.max_body_bytes_in_flight, 2 * settings.max_body_bytes)
    app.add_middleware(ReleaseMemory, budget=MemoryBudget(total, several=settings.several_tenants))
    app.add_middleware(RateHeaders)
    app.add_middleware(OriginGuard, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "X-API-Key",
                "X-Client-Id",
                "X-Request-Id",
                "traceparent",
            ],
            expose_headers=["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )
    if audit is not None:
        app.add_middleware(AuditRequests, log=audit)
    app.add_middleware(SendInPieces)
    app.add_middleware(RequestMetrics)
    app.add_middleware(RequestLog, logs_all=settings.log_requests)
    app.add_middleware(Normalize, root_path=settings.root_path)


async def _wait_for_worker(engine: Engine) -> None:
    """Wait a moment, so that a new process does not refuse requests that others would accept."""
    with suppress(TimeoutError):
        async with asyncio.timeout(WORKER_WAIT_S):
            while not engine.alive():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def _sweep(store: Store, settings: Settings) -> None:
    """Do what the store needs now and then. What fails does not hold up the others."""
    while True:
        for chore in (store.sweep, Keys(store).prune, partial(_count, store, settings)):
            try:
                await chore()
            except Unavailable:
                log.warning("clients were not removed or counted: the store is away; next try in %d s", SWEEP_S)
            except Exception:
                log.exception("clients were not removed or counted; next try in %d s", SWEEP_S)
        await asyncio.sleep(SWEEP_S)


async def _count(store: Store, settings: Settings) -> None:
    tenants = {OPEN_TENANT, *settings.api_keys, *await store.keys.tenants()}
    metrics.clients.set(sum([await store.count(tenant) for tenant in tenants]))
    for tenant in tenants:
        await store.tenant_data.recount(tenant)
