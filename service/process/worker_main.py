"""handful worker: the device worker as a process of its own."""

import asyncio
import logging
import os
import signal
from contextlib import closing, suppress

import uvloop
from prometheus_client import start_http_server

from service.cards import Card, Catalogue
from service.engine.compile import finish_compiling
from service.engine.warmup import warm_up, warm_up_shapes
from service.engine.worker import Worker
from service.errors import DeadlineExceeded
from service.ipc.server import HEARTBEAT_S, WorkerServer
from service.process.forks import go_on_in_fork
from service.process.garbage_collection import freeze_gc
from service.process.supervisor import log_to_stderr
from service.settings import Settings

log = logging.getLogger(__name__)

STALLED = 70
"""The exit status of a worker whose device hangs."""


def work(settings: Settings) -> None:
    """Work until asked to stop. Raises ValueError when anybody on the network could ask for work."""
    secret = settings.worker_secret.get_secret_value()
    if settings.listen.startswith("tcp:") and not secret:
        raise ValueError("Set HANDFUL_WORKER_SECRET: without it, whoever reaches the port could use the worker.")
    log_to_stderr()
    if settings.device == "cpu":  # what a driver has open may not survive a fork
        go_on_in_fork()
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port)
    catalogue = Catalogue(settings.models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    with closing(worker):
        uvloop.run(_serve(worker, catalogue, secret, settings))


async def _serve(worker: Worker, catalogue: Catalogue, secret: str, settings: Settings) -> None:
    models = {name: card.checkpoint for name, card in catalogue.items()}
    listener, stopped = WorkerServer(worker, models, secret), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with await listener.listen(settings.listen), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one) for one in (_watch(worker, settings), listener.send_heartbeats())]
        running.append(tasks.create_task(_warm_up_all(worker, catalogue, listener, settings)))
        await stopped.wait()
        for task in running:
            task.cancel()


async def _warm_up_all(worker: Worker, catalogue: Catalogue, listener: WorkerServer, settings: Settings) -> None:
    for number, card in enumerate(catalogue.values(), 1):
        await _warm_up(worker, card, compiling=settings.compile)
        if settings.compile:
            log.info("%s is compiled: %d of %d models", card.name, number, len(catalogue))
    if settings.compile:
        finish_compiling()
    freeze_gc()
    listener.set_ready()
    log.info("the worker is ready: %d models", len(catalogue))


async def _warm_up(worker: Worker, card: Card, *, compiling: bool) -> None:
    """However long it takes: compiling takes minutes."""
    while True:
        with suppress(DeadlineExceeded):
            await (warm_up_shapes if compiling else warm_up)(worker, card)
            return
        log.warning("%s is still warming up", card.name)


async def _watch(worker: Worker, settings: Settings) -> None:
    """A device that hangs cannot be freed from within: end, and be started again."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        if worker.stuck_for() > settings.stall_s:
            log.critical("a batch has run for %g s: this worker ends", settings.stall_s)
            os._exit(STALLED)
