"""Receive the body of a request within limits of size and time, while the client is connected."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from service.api.memory_budget import Reservation
from service.errors import BadRequest, TooLarge, TooSlow

Result = TypeVar("Result")


async def receive_body(request: Request, limit: int, timeout_s: float) -> bytearray:
    """Read a body.

    Args:
        request: A request with a `Reservation` in its state, which counts the bytes as they arrive.
        limit: Maximum bytes.
        timeout_s: Maximum seconds.

    Raises:
        TooLarge, TooSlow: The body is over a limit.
        Overloaded: Other bodies take all the memory.
    """
    reservation: Reservation = request.state.reservation
    announced = _content_length(request)
    _check_size(announced, limit)
    reservation.check(announced)
    body = bytearray()
    for _ in range(2):  # in two halves: a process that was suspended first reads what arrived meanwhile
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s / 2):
                await _receive(request, body, limit)
                return body
    raise TooSlow(f"The body did not arrive within the limit of {timeout_s:g} s. Send it faster.")


async def _receive(request: Request, body: bytearray, limit: int) -> None:
    reservation: Reservation = request.state.reservation
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        _check_size(len(body) + len(piece), limit)
        reservation.take(len(piece))
        body += piece
        more = message.get("more_body", False)


def _content_length(request: Request) -> int:
    value = request.headers.get("content-length", "0")
    if not (value.isascii() and value.isdigit()):
        raise BadRequest("Content-Length: must be a number.")
    return int(value)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"The body is over the limit of {limit} bytes. Send fewer or smaller examples.")


async def while_connected(request: Request, work: Coroutine[None, None, Result]) -> Result:
    """Await `work`, and cancel it when the client disconnects. The body must have been received before.

    Raises:
        ClientDisconnect: The client has disconnected.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        working.cancel()
