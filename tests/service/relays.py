"""A Redis with which things go wrong: everything passes through a relay that stands before a real one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def playing_redis(serve: Serve) -> AsyncIterator[str]:
    """The URL of a socket. `serve(reader, writer)` serves each connection."""
    tasks: list[asyncio.Task] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with closing(writer):
            await serve(reader, writer)

    with TemporaryDirectory(prefix="handful-") as folder:
        socket = Path(folder) / "s"
        async with await asyncio.start_unix_server(handle, socket):
            yield f"unix://{socket}"
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # the transports close


@asynccontextmanager
async def speaking_tls(url: str, context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a server that has what the Redis at the URL has, over TLS."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            while some := await reader.read(65536):
                writer.write(some)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(url.removeprefix("unix://"))
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    async with await asyncio.start_server(handle, "127.0.0.1", ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


class Relay:
    """Passes all on to the Redis at `url`, and its answers back; something happens when it meets a command."""

    breaks = False

    def __init__(self, url: str, command: bytes) -> None:
        self._path, self._command, self.met = url.removeprefix("unix://"), command, False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._path)
        with closing(up_writer):
            while question := await reader.read(65536):
                meets = self._command in question and not self.met
                self.met = self.met or meets
                if meets:
                    await self.before()
                up_writer.write(question)
                answer = await up_reader.read(65536)
                if meets and self.breaks:
                    await self.after()
                    return
                writer.write(answer)

    async def before(self) -> None:
        """What happens before the command is first passed on."""

    async def after(self) -> None:
        """What happens after it was done, before the connection breaks."""


class LosesOneAnswer(Relay):
    """Breaks the connection when the command has been done, and not answered, once."""

    breaks = True


class LosesOneAnswerAfter(LosesOneAnswer):
    """Does something else when the command has been done, and breaks the connection then, once."""

    def __init__(self, url: str, command: bytes, follow: Callable[[], Awaitable[object]]) -> None:
        super().__init__(url, command)
        self._follow = follow

    async def after(self) -> None:
        await self._follow()


class Overtakes(Relay):
    """Does something else first, once, when it meets the command."""

    def __init__(self, url: str, command: bytes, overtake: Callable[[], Awaitable[object]]) -> None:
        super().__init__(url, command)
        self._overtake = overtake

    async def before(self) -> None:
        await self._overtake()
