"""Around every request: a limit on its body, an end when its client leaves, and a count of its answer."""

import asyncio
import time
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.api.problem_details import problem
from service.errors import TooLarge, TooSlow


class BodyLimit:
    """Middleware: reads the body, which every route needs whole; answers 413 as soon as it is over `limit` bytes, 408
    when it is not here after `seconds`."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app, self._limit, self._seconds = app, limit, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body in one message."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read_in_time(dict(scope["headers"]), receive)
        except (TooLarge, TooSlow) as refusal:
            await problem(refusal)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read_in_time(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """In two halves: had this process been stopped itself, it would find its time over before it has looked."""
        self._check(int(headers.get(b"content-length", b"0")))
        body = bytearray()
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds / 2):
                    await self._read(body, receive)
                    return bytes(body)
        raise TooSlow(f"The body was not here after {self._seconds:g} s, the limit. Send it faster.")

    async def _read(self, body: bytearray, receive: Receive) -> None:
        """Append all that comes. What a client that left has sent is never whole JSON."""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            self._check(len(body))

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge(f"The body is over {self._limit} bytes, the limit. Send fewer or smaller examples.")


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


class CancelOnDisconnect:
    """Middleware: stops the work for a client that has left, which would hold up those that wait. Goes within
    `BodyLimit`: the body is one message, and what comes after it is that the client has gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and cancel it when nobody waits for the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await receive()
        answering = asyncio.ensure_future(self._app(scope, _replay(body["body"], receive), send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not answering.done():
                answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering


class RequestMetrics:
    """Middleware: counts and times every answer, by route template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(route, scope["method"], str(status)).inc()
            metrics.request_seconds.labels(route).observe(time.perf_counter() - started)
