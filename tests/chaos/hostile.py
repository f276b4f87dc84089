"""Hostile and broken clients."""

import asyncio
import json
import random
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from tests.chaos.load import Load
from tests.chaos.parts import Parts
from tests.service.inputs.attacks import progressive_jpeg

MANY = 20
"""Concurrent clients that send requests."""
CROWD = 10_000
TOGETHER = 500
"""Connections that are opened concurrently."""
OWN_FILES = 1000
"""Maximum other open files of this process."""
HEAD = b"POST /adapt HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

WHOLE = b"GET /healthz HTTP/1.1\r\nHost: chaos\r\n\r\n"

Mischief = Callable[[asyncio.StreamWriter], Awaitable[None]]


def striking(mischief: Mischief) -> Callable[[Parts, Load], AbstractAsyncContextManager[None]]:
    """A fault: many concurrent clients repeat it. Each answer must be 4xx or none."""

    @asynccontextmanager
    async def strike(parts: Parts, load: Load) -> AsyncIterator[None]:
        doing = [asyncio.create_task(_again(mischief, parts.port, load)) for _ in range(MANY)]
        try:
            load.tally.note = f"{MANY} at a time"
            yield
        finally:
            for each in doing:
                each.cancel()
            await asyncio.wait(doing)

    return strike


async def _again(mischief: Mischief, port: int, load: Load) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sending = asyncio.create_task(mischief(writer))
            try:
                load.answered_mischief(await reader.read())
            finally:
                sending.cancel()
                writer.transport.abort()
        await asyncio.sleep(0.01)


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Random bytes. Some begin like a request."""
    writer.write(random.choice([b"", b"POST /adapt HTTP/1.1\r\n", HEAD % 500]) + random.randbytes(1000))


async def half_bodies(writer: asyncio.StreamWriter) -> None:
    """Half of the announced body."""
    writer.write(HEAD % 10_000 + b'{"client_id": "half"' + b" " * 5000)
    writer.write_eof()


async def slow_requests(writer: asyncio.StreamWriter) -> None:
    """One byte per second, in the body or in the head."""
    writer.write(random.choice([HEAD % 10_000, b"POST /adapt HTTP/1.1\r\nHost: "]))
    while True:
        writer.write(b"a")
        await asyncio.sleep(1)


async def endless_heads(writer: asyncio.StreamWriter) -> None:
    """More header lines than fit into a head."""
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: chaos\r\n" + b"X: y\r\n" * 20_000)


async def costly_images(writer: asyncio.StreamWriter) -> None:
    """A few kilobytes that would take seconds to decode."""
    support = [{"input": progressive_jpeg(scans=290), "label": label} for label in "ab"]
    body = json.dumps({"client_id": "costly", "support": support}).encode()
    writer.write((HEAD % len(body)).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)


@asynccontextmanager
async def crowd(parts: Parts, load: Load) -> AsyncIterator[None]:
    """Open as many connections as one process may. They send little or nothing."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    opened: list[socket.socket] = []
    try:
        for _ in range(min(CROWD, most - OWN_FILES) // TOGETHER):
            opened += await asyncio.gather(*(_say_little(parts.port, number) for number in range(TOGETHER)))
        load.tally.note = f"{len(opened)} opened, {max(api.num_fds() for api in parts.apis())} at once"
        yield
    finally:
        for connection in opened:
            connection.close()


async def _say_little(port: int, number: int) -> socket.socket:
    connection, loop = socket.socket(), asyncio.get_running_loop()
    connection.setblocking(False)
    with suppress(OSError):
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, (b"", b"POST /ad", HEAD % 1000, WHOLE)[number % 4])
    return connection
