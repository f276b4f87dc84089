"""Give each request an id, honour the trace of its caller, and log its answer."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problem_details import UNEXPECTED, answer_to
from service.errors import HandfulError
from service.logs import FIELDS, RequestContext, working_on

log = logging.getLogger("service.requests")

HEADER = "X-Request-Id"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""W3C Trace Context, section 3.2. Later versions may add fields."""
TRACEPARENT_LENGTH = 55
"""Characters of the fields that are kept."""


class RequestLog:
    """ASGI middleware. The id of a request is the caller's `X-Request-Id`, or else a new one; the answer names it.

    Args:
        app: The application.
        logs_all: Whether each answer is logged, with its route and status. Paths, queries and bodies are not.
    """

    def __init__(self, app: ASGIApp, logs_all: bool) -> None:
        self._app, self._logs_all = app, logs_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context, begun, started, status = context_of(Headers(scope=scope)), time.perf_counter(), False, 500

        async def named(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                MutableHeaders(scope=message)[HEADER] = context.request_id
            await send(message)

        with working_on(context):
            try:
                await self._app(scope, receive, named)
            except Exception as error:
                log.error("%s %s failed", scope["method"], _route(scope), exc_info=error)
                if started:
                    raise
                await answer_to(scope, HandfulError(UNEXPECTED))(scope, receive, named)
            finally:
                if self._logs_all:
                    _log(scope, status, time.perf_counter() - begun)


def context_of(headers: Headers) -> RequestContext:
    """The id and the trace of a request. Malformed ones are ignored."""
    sent, trace = headers.get(HEADER, ""), headers.get("traceparent", "")
    request_id = sent if ID.fullmatch(sent) else uuid.uuid4().hex
    return RequestContext(request_id, trace[:TRACEPARENT_LENGTH] if TRACEPARENT.fullmatch(trace) else "")


def _route(scope: Scope) -> str:
    """The path with names in place of values."""
    return getattr(scope.get("route"), "path", "none")


def _log(scope: Scope, status: int, seconds: float) -> None:
    route, ms = _route(scope), round(seconds * 1000, 1)
    fields = {"method": scope["method"], "route": route, "status": status, "ms": ms}
    tenant = getattr(scope.get("state", {}).get("reservation"), "tenant", "")
    fields |= {"tenant": tenant} if tenant else {}
    log.info("%s %s %d in %g ms", scope["method"], route, status, ms, extra={FIELDS: fields})
