"""A closed loop of clients: each sends its next request when the last is answered. A process of its own.

Reads a Load as JSON from standard input, writes an Outcome as JSON.
"""

import asyncio
import sys
import time

import httptools
import msgspec
import uvloop

WARM_UP_S = 0.3


class Load(msgspec.Struct):
    """`bodies`: for each client what it sends, base64 in JSON."""

    port: int
    path: str
    content_type: str
    bodies: list[bytes]
    seconds: float


class Outcome(msgspec.Struct):
    """The milliseconds of each answer after the warm-up; how many were answered with 200 in all, and how many not."""

    seconds: float
    milliseconds: list[float]
    answered: int
    failures: int


class Client(asyncio.Protocol):
    """One client on a connection of its own."""

    def __init__(self, request: bytes, outcome: Outcome, begin: float) -> None:
        self._request, self._outcome, self._begin = request, outcome, begin
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser: note the answer, and ask again."""
        now = time.perf_counter()
        if self._parser.get_status_code() != 200:
            self._outcome.failures += 1
        else:
            self._outcome.answered += 1
            if self._sent > self._begin:
                self._outcome.milliseconds.append((now - self._sent) * 1000)
        self._parser = httptools.HttpResponseParser(self)
        asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def drive(load: Load) -> Outcome:
    """Let every client go round until the time is over."""
    outcome = Outcome(load.seconds, [], 0, 0)
    begin = time.perf_counter() + WARM_UP_S
    clients = []
    for body in load.bodies:
        request = f"POST {load.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {load.content_type}\r\n"
        whole = f"{request}Content-Length: {len(body)}\r\n\r\n".encode() + body
        make = Client(whole, outcome, begin)
        clients.append(await asyncio.get_running_loop().create_connection(lambda one=make: one, "127.0.0.1", load.port))
    await asyncio.sleep(WARM_UP_S + load.seconds)
    for transport, _ in clients:
        transport.abort()
    return outcome


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(given))))
