"""Worker servers on a socket, and clients of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from service.arrays import SupportSet
from service.engine.worker import Worker
from service.ipc.client import WorkerClient, worker_engine
from service.ipc.server import WorkerServer


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)


def support(seed: int = 0) -> SupportSet:
    return SupportSet(images(4, seed), np.arange(4) % 2, 2)


class Listening:
    """A worker server that can be cut off."""

    def __init__(self, worker: Any, models: Mapping[str, str]) -> None:
        self.server = WorkerServer(worker, models)
        self._listening: asyncio.Server | None = None

    async def start(self, socket: Path) -> None:
        self._listening = await self.server.listen(socket)
        self.server.set_ready()

    def break_connections(self) -> None:
        for session in list(self.server.sessions):
            session.connection.abort()

    def cut(self) -> None:
        """Stop listening, and break every connection."""
        self._listening.close()
        self.break_connections()


@asynccontextmanager
async def listening(socket: Path, worker: Any, models: Mapping[str, str]) -> AsyncIterator[Listening]:
    one = Listening(worker, models)
    await one.start(socket)
    yield one
    one.cut()


async def until(true) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(socket: Path, models: Mapping[str, str], deadline_s: float = 30) -> AsyncIterator[WorkerClient]:
    async with worker_engine(socket, models, deadline_s, deadline_s) as engine:
        await until(engine.alive)
        yield engine


class Blocked:
    """A worker with endless adapts."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self.started, self.cancelled = worker, asyncio.Event(), asyncio.Event()
        self.extends: list[str | None] = []

    def __getattr__(self, name: str):
        return getattr(self._worker, name)

    def submit_adapt(self, model: str, key: str, support: SupportSet, extends: str | None, *_: Any) -> asyncio.Future:
        self.extends.append(extends)
        self.started.set()
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda one: self.cancelled.set() if one.cancelled() else None)
        return future
