"""Clients that ask a service over HTTP, in a process of their own: reads a Load as JSON, writes an Outcome as JSON.

A closed loop, where each client asks again when it is answered; or, at a `rate`, requests at random moments.
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
"""In a body: the number of one of `among` clients, another in each request."""


class Load(msgspec.Struct):
    """`bodies`: for each client what it sends, base64 in JSON. `rate`: requests a second, with exponential gaps.
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
    """The milliseconds of each answer after the warm-up; how many were answered with 200 in all, and how many not."""

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
        """What is done when it was answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser: note the answer."""
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
    """Let the clients ask until the time is over."""
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
    """What each client sends."""
    for body in load.bodies:
        head = f"POST {load.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {load.content_type}\r\n"
        head += f"Authorization: Bearer {load.key}\r\n" if load.key else ""
        whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        yield lambda whole=whole: whole.replace(ANY_CLIENT, b"%06d" % randrange(load.among))


async def _connect(port: int, client: Client) -> Client:
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    return client


async def _at_random(load: Load, clients: list[Client], begin: float) -> list[Client]:
    """Ask at exponential gaps, whoever is free; when nobody is, one client more. So no request waits here for the
    answer to another. Then wait for the answers, since the late ones matter most. All clients."""
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
