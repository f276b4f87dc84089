"""A failing network: a relay between two parts that can be cut, silent or slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

PIECE = 16384
"""Bytes that pass at a time. Each piece waits for `delay_s`, which limits the bandwidth too."""


class Relay:
    """Passes bytes on to a port of this machine, and back."""

    def __init__(self, to_port: int) -> None:
        self._to_port, self.port = to_port, 0
        self.delay_s = 0.0
        self._whole = True
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Run on a free port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1")
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Break all connections, and every new one at once."""
        self._whole = False
        for end in list(self._ends):
            end.transport.abort()

    def fall_silent(self) -> None:
        """Hold all bytes back without breaking connections. They arrive after `mend`."""
        self._speaking.clear()

    def mend(self) -> None:
        """Pass all bytes on at once."""
        self._whole, self.delay_s = True, 0.0
        self._speaking.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._known(writer), suppress(OSError):
            if not self._whole:
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            with self._known(up_writer):
                ways = [asyncio.create_task(self._copy(*ends)) for ends in ((reader, up_writer), (up_reader, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(PIECE):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._speaking.wait()
                writer.write(some)
                await writer.drain()

    def _known(self, end: asyncio.StreamWriter) -> "_Known":
        return _Known(self._ends, end)


class _Known:
    """Registers an end of a connection, so that a cut breaks it."""

    def __init__(self, ends: set[asyncio.StreamWriter], end: asyncio.StreamWriter) -> None:
        self._ends, self._end = ends, end

    def __enter__(self) -> None:
        self._ends.add(self._end)

    def __exit__(self, *_: object) -> None:
        self._ends.discard(self._end)
        self._end.transport.abort()
