"""The device worker of a replica."""

import asyncio
import logging
import os
import signal
from contextlib import closing, suppress

import uvloop
from prometheus_client import start_http_server

from service.cards import Card, Catalogue
from service.engine.compile import finish_compiling
from service.engine.warmup import (
    MEASURED_LARGE,
    MEASURED_MEMORY,
    measure_costs,
    random_supports,
    warm_up,
    warm_up_shapes,
)
from service.engine.worker import Worker
from service.errors import DeadlineExceeded, HandfulError
from service.ipc.server import HEARTBEAT_S, WorkerServer
from service.logs import log_to_stderr
from service.process.garbage_collection import freeze_gc
from service.settings import Settings

log = logging.getLogger(__name__)

STUCK = 70
"""Exit status of a worker with a stuck device."""


def run(settings: Settings) -> None:
    """Serve API processes at `settings.worker_socket` until SIGTERM or SIGINT."""
    log_to_stderr(settings.log_format)
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port)
    catalogue = Catalogue(settings.models, settings.serve, settings.own_models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    with closing(worker):
        uvloop.run(_serve(worker, catalogue, settings))


async def _serve(worker: Worker, catalogue: Catalogue, settings: Settings) -> None:
    server = WorkerServer(worker, {name: catalogue[name].checkpoint for name in worker.models})
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with await server.listen(settings.worker_socket), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one) for one in (_watch(worker, settings), server.send_heartbeats())]
        running.append(tasks.create_task(_warm_up_all(worker, catalogue, server, settings)))
        await stopped.wait()
        for task in running:
            task.cancel()


async def _warm_up_all(worker: Worker, catalogue: Catalogue, server: WorkerServer, settings: Settings) -> None:
    cards = [catalogue[name] for name in worker.models]
    for number, card in enumerate(cards, 1):
        await _warm_up(worker, card, compiling=settings.compile)
        if settings.compile:
            log.info("%s is compiled: %d of %d models", card.name, number, len(cards))
    if settings.compile:
        finish_compiling()
    worker.budget.measuring = True
    for card in cards:
        await measure_costs(worker, card)
    freeze_gc()
    server.set_ready()
    log.info("the worker is ready: %d models", len(cards))
    for card in cards:
        with suppress(HandfulError):  # estimates are then less exact
            await measure_costs(worker, card, MEASURED_LARGE)
        for support in random_supports(card, MEASURED_MEMORY):
            await asyncio.to_thread(worker.measure_memory, card.name, support)


async def _warm_up(worker: Worker, card: Card, *, compiling: bool) -> None:
    """Retry after a missed deadline: compiling takes minutes."""
    while True:
        with suppress(DeadlineExceeded):
            await (warm_up_shapes if compiling else warm_up)(worker, card)
            return
        log.warning("%s is still warming up", card.name)


async def _watch(worker: Worker, settings: Settings) -> None:
    """End this process when its device is stuck; the supervisor restarts it."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        if worker.stuck_for() > settings.stall_s:
            log.critical("a batch has run for over %g s: the worker counts as stuck and exits", settings.stall_s)
            os._exit(STUCK)
