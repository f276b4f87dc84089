"""handful serve: a Valkey unless one is given, device workers and API processes, each started again when it dies."""

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from service.api.auth import check_guarded
from service.cards import Catalogue
from service.process.supervisor import Child, log_to_stderr
from service.settings import Settings
from service.store.embedded_valkey import check_free, embedded_valkey

log = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that wait while API processes are started again."""
POLL_S = 0.2
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
"""For glibc: large tensors are made again for every batch, and pages that were given back cost more than the sums."""


def serve(settings: Settings) -> None:
    """Serve until interrupted. Raises DataInUse when another Handful has the data folder, UnknownModel, ValueError when
    a setting is missing, OSError when the port is taken, ChildFailed when a process ends before the service was ready.
    """
    log_to_stderr()
    check_guarded(settings)
    if settings.redis_url is None:
        check_free(settings.store_dir)
    if settings.worker_processes == 0 and not settings.worker_urls:
        raise ValueError("No worker: let handful serve start one, or set HANDFUL_WORKER_URLS.")
    _ = Catalogue(settings.models)[settings.default_model]
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG) as listening:
        asyncio.run(_serve(settings, listening))


async def _serve(settings: Settings, listening: socket.socket) -> None:
    stopped, ready = asyncio.Event(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="handful-")))
        url = settings.redis_url
        if url is None:
            url = await stack.enter_async_context(embedded_valkey(settings.store_dir))
        workers, apis = children(settings, url, folder, listening)
        stack.push_async_callback(_stop, workers)
        stack.push_async_callback(_stop, apis)
        keeping = [asyncio.create_task(child.keep_running(ready)) for child in (*workers, *apis)]
        announcing = asyncio.create_task(_announce(_address(listening), ready))
        stopping = asyncio.create_task(stopped.wait())
        ended, _ = await asyncio.wait([stopping, *keeping], return_when=asyncio.FIRST_COMPLETED)
        for task in (announcing, stopping, *keeping):
            task.cancel()
        for task in ended:
            task.result()


def children(
    settings: Settings, redis_url: str, folder: Path, listening: socket.socket
) -> tuple[list[Child], list[Child]]:
    """The device workers and the API processes. The workers listen in `folder`, and the API on one socket."""
    local = [f"unix://{folder}/worker-{i}" for i in range(settings.worker_processes)]
    environment = os.environ | {
        "HANDFUL_REDIS_URL": redis_url,
        "HANDFUL_WORKER_URLS": json.dumps([*local, *settings.worker_urls]),
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }
    workers = [
        Child(f"Worker {i}", ["worker"], KEEP_MEMORY | environment | {"HANDFUL_LISTEN": url})
        for i, url in enumerate(local)
    ]
    fd = listening.fileno()
    apis = [Child(f"API {i}", ["api", "--fd", str(fd)], environment, [fd]) for i in range(settings.api_processes)]
    return workers, apis


async def _stop(some: Sequence[Child]) -> None:
    await asyncio.gather(*(child.stop() for child in some))


async def _announce(address: str, ready: asyncio.Event) -> None:
    """Say where the service is as soon as it is truly ready."""
    async with httpx.AsyncClient(base_url=address, timeout=None) as client:
        while not ready.is_set():
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).is_success:
                    ready.set()
            await asyncio.sleep(POLL_S)
    log.info("Handful is ready on %s", address)


def _address(listening: socket.socket) -> str:
    """An address at which this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
