"""handful serve: replicas behind one port, and an embedded Valkey if no Redis is given. Processes that die restart."""

import asyncio
import errno
import logging
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx

from service.api.auth import check_guarded
from service.cards import Catalogue
from service.inputs.photo import Photo
from service.inputs.text import Text
from service.logs import log_to_stderr
from service.process.run_folder import run_folder
from service.process.supervisor import Child
from service.settings import Settings
from service.store.embedded_valkey import check_free, embedded_valkey

log = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that may wait while API processes restart."""
POLL_S = 0.2
"""Seconds between two readiness checks."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
"""Settings of glibc for workers: keep freed memory, because page faults dominate the cost of large tensors."""

PRELOAD, ENCODED = "service.process.preload", (Text, Photo)
"""A module that takes seconds and 140 MB to import, and the inputs whose encoders may need it."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ChildFailed: A process exited before the service was ready.
        DataInUse: Another Handful uses the data folder.
        OSError: The port is in use.
        UnknownModel: The default model is not served.
        ValueError: A setting is missing.
    """
    log_to_stderr(settings.log_format)
    check_guarded(settings)
    if settings.redis_url is None:
        check_free(settings.store_dir)
    _ = Catalogue(settings.models, settings.serve, settings.own_models)[settings.default_model]
    with _listening(settings) as listening:
        asyncio.run(_serve(settings, listening))


def _listening(settings: Settings) -> socket.socket:
    """A socket at the port. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise OSError(f"Port {settings.port} is in use: stop what uses it, or set HANDFUL_PORT.") from None


def serve_worker(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT. Raises ChildFailed if it exits."""
    log_to_stderr(settings.log_format)
    asyncio.run(_serve_worker(settings))


async def _serve(settings: Settings, listening: socket.socket) -> None:
    ready = asyncio.Event()
    async with AsyncExitStack() as stack:
        stopped = _stop_signal()
        folder = stack.enter_context(run_folder())
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        url = settings.redis_url
        if url is None:
            url = await stack.enter_async_context(embedded_valkey(settings.store_dir, settings.store_bytes))
        workers, apis = children(settings.model_copy(update={"redis_url": url}), folder, listening)
        announcing = asyncio.create_task(_announce(_address(listening, settings), ready))
        stack.callback(announcing.cancel)
        await _run([*workers, *apis], [apis, workers], stopped, ready)


async def _serve_worker(settings: Settings) -> None:
    with run_folder():
        worker = new_worker("Worker", settings)
        await _run([worker], [[worker]], _stop_signal(), asyncio.Event())


def children(settings: Settings, folder: Path, listening: socket.socket) -> tuple[list[Child], list[Child]]:
    """The workers and the API processes of all replicas. All API processes accept connections from one socket. Those of
    a replica reach its worker at a socket in `folder`."""
    workers, apis = [], []
    for number in range(settings.replicas):
        own = {"worker_socket": folder / f"worker-{number}", "device": _device(settings, number)}
        replica = settings.model_copy(update=own)
        workers.append(new_worker(f"Worker {number}", replica))
        for api in range(settings.api_processes):
            apis.append(Child(f"API {number}.{api}", "spawn", "service.process.api_main", replica, listening))
    return workers, apis


def new_worker(name: str, settings: Settings) -> Child:
    """A worker that has not been started yet."""
    cards = Catalogue(settings.models, settings.serve, settings.own_models).values()
    preload = [PRELOAD] if any(isinstance(card.input, ENCODED) for card in cards) else []
    worker = "service.process.worker_main"
    return Child(name, "forkserver", worker, settings, environment=KEEP_MEMORY, preload=preload)


def _device(settings: Settings, number: int) -> str:
    """The device of a replica's worker: with several replicas, "cuda" means a GPU for each."""
    return f"cuda:{number}" if settings.device == "cuda" and settings.replicas > 1 else settings.device


async def _run(
    children: Sequence[Child], stop_order: Sequence[Sequence[Child]], stopped: asyncio.Event, ready: asyncio.Event
) -> None:
    """Keep children running until a signal says stop, then stop them in order. Raises ChildFailed."""
    tasks = [asyncio.create_task(child.keep_running(ready)) for child in children]
    tasks.append(asyncio.create_task(_returns(stopped)))
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for some in stop_order:
        await asyncio.gather(*(child.stop() for child in some))
    for task in ended:
        task.result()


async def _returns(event: asyncio.Event) -> None:
    await event.wait()


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    return stopped


async def _announce(address: str, ready: asyncio.Event) -> None:
    """Log the address as soon as the service is ready."""
    own: dict[str, Any] = {
        "trust_env": False,
        "verify": False,
    }  # never through a proxy; the certificate has another name
    async with httpx.AsyncClient(base_url=address, timeout=None, **own) as client:
        while not ready.is_set():
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).is_success:
                    ready.set()
            await asyncio.sleep(POLL_S)
    log.info("Handful is ready on %s", address)


def _address(listening: socket.socket, settings: Settings) -> str:
    """An address at which this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"
