"""A load generator over HTTP, for its own process: reads a Load as JSON, writes an Outcome as JSON.

Without a `rate`, it is a closed loop: each client sends its next request after the answer to the last one. With a
`rate`, requests are sent at random moments.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from random import expovariate, randrange

import httptools
import msgspec
import uvloop

WARM_UP_S = 0.3
LATE_S = 10
ANY_CLIENT = b"??????"
"""Placeholder in a body. Each request has the number of a random one of `among` clients in its place."""


class Load(msgspec.Struct):
    """A load. `bodies`: the body of each client, base64 in JSON. `rate`: requests per second, with exponential gaps.
    `key`: the API key of the tenant."""

    port: int
    path: str
    content_type: str
    bodies: list[bytes]
    seconds: float
    rate: float = 0
    among: int = 1
    key: str = ""


class Outcome(msgspec.Struct):
    """The milliseconds of each answer after the warm-up; the number of answers with status 200, and of others."""

    seconds: float
    milliseconds: list[float]
    answered: int
    failures: int


class Client(asyncio.Protocol):
    """One client on a connection of its own."""

    def __init__(self, request: Callable[[], bytes], outcome: Outcome, begin: float) -> None:
        self._request, self.outcome, self._begin = request, outcome, begin
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self.then: Callable[[Client], object] = Client.ask
        """Called after an answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser. Records the answer."""
        now = time.perf_counter()
        if self._parser.get_status_code() != 200:
            self.outcome.failures += 1
        else:
            self.outcome.answered += 1
            if self._begin < self._sent < self._begin + self.outcome.seconds:
                self.outcome.milliseconds.append((now - self._sent) * 1000)
        self._parser = httptools.HttpResponseParser(self)
        asyncio.get_running_loop().call_soon(self.then, self)

    def ask(self) -> None:
        """Send a request."""
        self._sent = time.perf_counter()
        self.transport.write(self._request())


async def drive(load: Load) -> Outcome:
    """Send requests until the time is over."""
    outcome = Outcome(load.seconds, [], 0, 0)
    begin = time.perf_counter() + WARM_UP_S
    clients = [await _connect(load.port, Client(one, outcome, begin)) for one in requests(load)]
    if load.rate:
        clients = await _at_random(load, clients, begin)
    else:
        for client in clients:
            client.ask()
        await asyncio.sleep(begin + load.seconds - time.perf_counter())
    for client in clients:
        client.transport.abort()
    return outcome


def requests(load: Load) -> Iterator[Callable[[], bytes]]:
    """The request of each client."""
    for body in load.bodies:
        head = f"POST {load.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {load.content_type}\r\n"
        head += f"Authorization: Bearer {load.key}\r\n" if load.key else ""
        whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        yield lambda whole=whole: whole.replace(ANY_CLIENT, b"%06d" % randrange(load.among))


async def _connect(port: int, client: Client) -> Client:
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    return client


async def _at_random(load: Load, clients: list[Client], begin: float) -> list[Client]:
    """Send requests with exponential gaps from free clients. If none is free, add a client, so that no request waits
    for another. Then wait for the late answers. Returns all clients."""
    idle: asyncio.Queue[Client] = asyncio.Queue()
    everybody, more = list[Client](), cycle(requests(load))
    for client in clients:
        _join(client, everybody, idle)
    due = time.perf_counter()
    while (due := due + expovariate(load.rate)) < begin + load.seconds:
        await asyncio.sleep(due - time.perf_counter())
        if idle.empty():
            _join(await _connect(load.port, Client(next(more), clients[0].outcome, begin)), everybody, idle)
        idle.get_nowait().ask()
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE_S):
            for _ in everybody:
                await idle.get()
    return everybody


def _join(client: Client, everybody: list[Client], idle: "asyncio.Queue[Client]") -> None:
    client.then = idle.put_nowait
    everybody.append(client)
    idle.put_nowait(client)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(given))))
