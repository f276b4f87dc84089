"""One connection of an API process and a device worker: whole messages in, whole messages out."""

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from service.ipc.messages import Message
from service.settings import parse_worker_url

LENGTH = struct.Struct("<I")
STRANGERS_LIMIT = 4096
"""Bytes of a message from one that has not proven itself."""
PARTNERS_LIMIT = 2**31
"""And from one that has."""

SEND_BUFFER = 2**22
"""Bytes that the system may take at once: states of several clients; what it does not take is offered again and again.
Linux gives as many as its `net.core.wmem_max` says."""


class Connection(asyncio.Protocol):
    """Frames messages. What is sent in one turn of the event loop goes out in one piece."""

    def __init__(
        self,
        accepts: Any,
        received: Callable[[Any], None],
        *,
        connected: Callable[[], None] = lambda: None,
        lost: Callable[[], None],
    ) -> None:
        self._decoder, self._encoder = msgspec.msgpack.Decoder(accepts), msgspec.msgpack.Encoder()
        self._received, self._connected, self._lost = received, connected, lost
        self._buffer = bytearray()
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.limit = STRANGERS_LIMIT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:  # of TCP Linux finds out itself
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._connected()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop. A message that makes no sense ends the connection."""
        self._buffer += data
        try:
            while frame := self._next_frame():
                self._received(self._decoder.decode(frame))
        except (msgspec.DecodeError, FrameTooLong):
            self.close()

    def send(self, message: Message) -> None:
        """Send, or drop what goes to a connection that is lost: `lost` has said so."""
        if self._transport is None:
            return
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        body = self._encoder.encode(message)
        self._outgoing += LENGTH.pack(len(body)), body

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it without sending what waits to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.writelines(self._outgoing)
        self._outgoing = []

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if length > self.limit:
            raise FrameTooLong
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(memoryview(self._buffer)[LENGTH.size : end])
        del self._buffer[:end]
        return frame


class FrameTooLong(Exception):
    """A message is over the limit."""


async def connect(url: str, link: Connection) -> None:
    """Connect a link to `unix:///path` or `tcp://host:port`. Raises OSError."""
    loop = asyncio.get_running_loop()
    match parse_worker_url(url):
        case Path() as path:
            await loop.create_unix_connection(lambda: link, str(path))
        case host, port:
            await loop.create_connection(lambda: link, host, port)


async def listen(url: str, make_link: Callable[[], Connection]) -> asyncio.Server:
    """Accept links on `unix:///path`, which only this user may reach, or on `tcp://host:port`."""
    loop = asyncio.get_running_loop()
    match parse_worker_url(url):
        case Path() as path:
            path.unlink(missing_ok=True)
            server = await loop.create_unix_server(make_link, path)
            path.chmod(0o600)
            return server
        case host, port:
            return await loop.create_server(make_link, host, port)
