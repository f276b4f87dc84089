"""The lines of a body as they arrive, and JSON Lines as an answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect, Request

from service.api.memory_budget import Reservation
from service.errors import HandfulError, Overloaded, TooLarge, TooSlow

NDJSON = "application/x-ndjson"


class Line(NamedTuple):
    """A line of a body."""

    number: int
    content: Any
    """Its bytes, its JSON value, or an error that says why there is none."""


class Lines:
    """Reads the lines of a body as they arrive. A caller that does not ask for more holds the sender up.

    Args:
        request: A request with a `Reservation` in its state, which counts the bytes of incomplete lines.
        limit: Maximum bytes of a line. A longer one is skipped.
        timeout_s: Maximum seconds to wait for more bytes.
    """

    def __init__(self, request: Request, limit: int, timeout_s: float) -> None:
        self._request, self._limit, self._timeout_s = request, limit, timeout_s
        self._rest = bytearray()
        self._number = 0
        self._skips: HandfulError | None = None

    async def arriving(self) -> AsyncIterator[list[Line]]:
        """The lines that have arrived since the last ones, without empty ones. Raises ClientDisconnect."""
        more = True
        while more:
            try:
                async with asyncio.timeout(self._timeout_s):
                    message = await self._request.receive()
            except TimeoutError:
                error = TooSlow(f"No line arrived within the limit of {self._timeout_s:g} s.")
                yield [Line(self._number + 1, error)]
                return
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            if found := self._lines(message.get("body", b"") + (b"" if more else b"\n")):
                yield found

    def _lines(self, piece: bytes) -> list[Line]:
        *ended, rest = piece.split(b"\n")
        lines = [line for each in ended if (line := self._ended(each)) is not None]
        self._keep(rest)
        return lines

    def _ended(self, end: bytes) -> Line | None:
        """The line that ends with these bytes; None if it is empty."""
        self._keep(end)
        self._number += 1
        content, error = bytes(self._rest).strip(), self._skips
        self._drop()
        self._skips = None
        return Line(self._number, error or content) if error or content else None

    def _keep(self, piece: bytes) -> None:
        """Add bytes to the line that has not ended, unless it is skipped."""
        if self._skips is not None:
            return
        reservation: Reservation = self._request.state.reservation
        try:
            if len(self._rest) + len(piece) > self._limit:
                raise TooLarge(f"The line is over the limit of {self._limit} bytes.")
            reservation.take(len(piece))
        except (TooLarge, Overloaded) as error:
            self._drop()
            self._skips = error
            return
        self._rest += piece

    def _drop(self) -> None:
        reservation: Reservation = self._request.state.reservation
        reservation.give_back(len(self._rest))
        self._rest = bytearray()


class Outbox:
    """Answers that the client has not read yet. `put` waits while there is no room for more.

    A client that sends all of its lines before it reads is thus served up to the limit.
    """

    def __init__(self, limit: int, reservation: Reservation) -> None:
        self._limit, self._reservation, self._ended = limit, reservation, False
        self._waiting = bytearray()
        self._changed = asyncio.Condition()

    async def put(self, lines: Sequence[bytes]) -> None:
        """Add lines once there is room."""
        more = b"".join(lines)
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting or self._fits(len(more)))
            self._reservation.add(len(more))
            self._waiting += more
            self._changed.notify_all()

    async def end(self) -> None:
        """Nothing more comes."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def take(self) -> bytes:
        """What is there, once there is something; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._ended)
            taken, self._waiting = bytes(self._waiting), bytearray()
            self._reservation.give_back(len(taken))
            self._changed.notify_all()
            return taken

    def _fits(self, size: int) -> bool:
        with suppress(Overloaded):
            self._reservation.check(size)
            return len(self._waiting) + size <= self._limit
        return False
