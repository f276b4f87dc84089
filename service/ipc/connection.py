"""A connection between an API process and a worker: messages over a Unix socket."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from service.ipc import messages
from service.ipc.messages import Message

log = logging.getLogger(__name__)

LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 2**31
"""Maximum size of a message."""
SEND_BUFFER_BYTES = 2**22
"""Socket send buffer: room for the states of several clients. Linux caps it at `net.core.wmem_max`."""


class Connection(asyncio.Protocol):
    """Sends and receives whole messages. All messages of one turn of the event loop are written together."""

    def __init__(
        self,
        accepts: Any,
        received: Callable[[Any], None],
        *,
        connected: Callable[[], None] = lambda: None,
        lost: Callable[[], None],
    ) -> None:
        self._decoder, self._encoder = messages.decoder(accepts), messages.encoder()
        self._received, self._connected, self._lost = received, connected, lost
        self._buffer = bytearray()
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._connected()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop. An unreadable message closes the connection."""
        self._buffer += data
        try:
            while frame := self._next_frame():
                self._received(self._decoder.decode(frame))
        except (msgspec.DecodeError, FrameTooLong) as error:
            log.error("closing a connection between API and worker after an unreadable message: %s", error)
            self.close()

    def send(self, message: Message) -> None:
        """Send a message. It is dropped if the connection is lost."""
        if self._transport is None:
            return
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        body = self._encoder.encode(message)
        self._outgoing += LENGTH.pack(len(body)), body

    def close(self) -> None:
        """Close the connection after sending what is buffered."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
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
        if length > MAX_FRAME_BYTES:
            raise FrameTooLong(f"{length} bytes; the limit is {MAX_FRAME_BYTES}")
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(memoryview(self._buffer)[LENGTH.size : end])
        del self._buffer[:end]
        return frame


class FrameTooLong(Exception):
    """A message is over the limit."""


async def connect(path: Path, connection: Connection) -> None:
    """Connect to the worker's socket. Raises OSError."""
    await asyncio.get_running_loop().create_unix_connection(lambda: connection, str(path))


async def listen(path: Path, make_connection: Callable[[], Connection]) -> asyncio.Server:
    """Listen on a socket that only this user can open. The socket of an earlier worker is replaced.

    Raises:
        OSError: The folder cannot be created or used.
        ValueError: The folder belongs to another user.
    """
    listening = _bind(path)
    return await asyncio.get_running_loop().create_unix_server(make_connection, sock=listening)


def _bind(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (owner := path.parent.stat().st_uid) != os.getuid():
        raise ValueError(f"{path.parent} belongs to user {owner}. Set HANDFUL_WORKER_SOCKET to another folder.")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    return listening
