"""ASGI middleware for every request: normalization, sending in pieces, and metrics."""

import time
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics

PIECE = 256 * 1024
"""Bytes of an answer that are passed to the socket at a time."""


class Normalize:
    """Answers HEAD like GET without the body, ignores trailing slashes, and knows the path prefix of a proxy.

    Args:
        app: The application.
        root_path: The prefix. Paths may come with it or without it.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        method, path = "GET" if head else scope["method"], _without_slashes(scope)
        root_path = self._root_path or scope.get("root_path", "")
        if root_path and path == root_path:
            path += "/"  # the page of a service behind a prefix
        normal = {**scope, "method": method, "path": path, "root_path": root_path}
        await self._app(normal, receive, _without_body(send) if head else send)


def _without_slashes(scope: Scope) -> str:
    """The path without the slashes at its end. An escaped slash belongs to a name, such as that of a class."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path: str = scope["path"]
    return path[: len(path) - (len(raw) - len(raw.rstrip(b"/")))] or "/"


def _without_body(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sent


class SendInPieces:
    """Sends large bodies in pieces. Each piece waits until the client has read the pieces before it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def sent(message: Message) -> None:
            for piece in _pieces(message):
                await send(piece)

        await self._app(scope, receive, sent)


def _pieces(message: Message) -> Iterator[Message]:
    body = message.get("body", b"")
    if len(body) <= PIECE:
        yield message
        return
    for start in range(0, len(body), PIECE):
        last = start + PIECE >= len(body)
        more = not last or message.get("more_body", False)
        yield {"type": "http.response.body", "body": bytes(body[start : start + PIECE]), "more_body": more}


class RequestMetrics:
    """Counts and times every answer, by route template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record its answer."""
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
