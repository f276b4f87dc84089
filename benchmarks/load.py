"""A load generator over HTTP, for its own process: reads a Load as JSON, writes an Outcome as JSON.

Without a `rate`, it is a closed loop: each client sends its next request after the answer to the last one. With a
`rate`, requests are sent at random moments.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from random import expovariate, randrange
from typing import cast

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
    """The milliseconds of each answer after the warm-up; the number of answers with status 200; and of failures: other
    answers and, with a rate, connections that are refused or lost and answers that come too late."""

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
        self.lost: Callable[[Client], object] = Client.ignore
        """Called when the connection is lost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self.transport = cast(asyncio.Transport, transport)  # that of uvloop is no subclass

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

    def connection_lost(self, _: Exception | None) -> None:
        """Called by the event loop."""
        self.lost(self)

    def ignore(self) -> None:
        """Do nothing. A closed loop goes on without those that are lost."""


async def drive(load: Load) -> Outcome:
    """Send requests until the time is over."""
    outcome = Outcome(load.seconds, [], 0, 0)
    begin = time.perf_counter() + WARM_UP_S
    if load.rate:
        clients = await _at_random(load, outcome, begin)
    else:
        clients = [await _connect(load.port, Client(one, outcome, begin)) for one in requests(load)]
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
        yield partial(_addressed, whole, load.among)


def _addressed(request: bytes, among: int) -> bytes:
    """The request, to a random client."""
    return request.replace(ANY_CLIENT, b"%06d" % randrange(among))


async def _connect(port: int, client: Client) -> Client:
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    return client


async def _at_random(load: Load, outcome: Outcome, begin: float) -> list[Client]:
    """Send requests with exponential gaps from free clients. If none is free, add a client, so that no request waits
    for another. Then wait for the late answers. A connection that is refused or lost is a failure. Returns the clients.
    """
    everybody, more = Everybody(outcome), cycle(requests(load))
    for _ in load.bodies:
        await everybody.join(load.port, Client(next(more), outcome, begin))
    due = time.perf_counter()
    while (due := due + expovariate(load.rate)) < begin + load.seconds:
        await asyncio.sleep(due - time.perf_counter())
        if not everybody.idle:
            await everybody.join(load.port, Client(next(more), outcome, begin))
        everybody.ask()
    await everybody.finish()
    return list(everybody.idle)


class Everybody:
    """The clients that are connected, the idle ones in the order in which they became so."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome, self._changed = outcome, asyncio.Event()
        self.idle, self._busy = deque[Client](), set[Client]()

    async def join(self, port: int, client: Client) -> None:
        """Connect another one, unless the connection is refused."""
        client.then, client.lost = self._answered_by, self._lost_by
        with suppress(OSError):
            self.idle.append(await _connect(port, client))

    def ask(self) -> None:
        """Let an idle one send a request. With none, the request has failed."""
        if not self.idle:
            self._outcome.failures += 1
            return
        client = self.idle.popleft()
        if client.transport.is_closing():
            self._outcome.failures += 1
            return
        self._busy.add(client)
        client.ask()

    async def finish(self) -> None:
        """Wait for the late answers. Those that do not come are failures."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                while self._busy:
                    self._changed.clear()
                    await self._changed.wait()
        for client in list(self._busy):
            client.transport.abort()
            self._lost_by(client)

    def _answered_by(self, client: Client) -> None:
        self._busy.discard(client)
        self.idle.append(client)
        self._changed.set()

    def _lost_by(self, client: Client) -> None:
        if client in self._busy:
            self._busy.remove(client)
            self._outcome.failures += 1
        elif client in self.idle:
            self.idle.remove(client)
        self._changed.set()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(given))))
