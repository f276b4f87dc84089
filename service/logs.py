"""Logs of the service, as lines of text or of JSON. A line that belongs to a request names it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import orjson

Form = Literal["console", "json"]

FIELDS = "fields"
"""The attribute of a log record that holds more fields for JSON: `log.info(..., extra={FIELDS: {...}})`."""


class RequestContext(NamedTuple):
    """The request that is being worked on. The trace is that of W3C Trace Context; empty if the caller sent none."""

    request_id: str
    traceparent: str = ""

    @property
    def trace_id(self) -> str:
        """The id of the trace."""
        return self.traceparent[3:35]


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current() -> RequestContext | None:
    """The request that is being worked on, if there is one."""
    return _current.get()


@contextmanager
def working_on(request: RequestContext | None) -> Iterator[None]:
    """Log lines within the context name the request."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


def log_to_stderr(form: Form = "console") -> None:
    """Log the service from INFO and libraries from WARNING. The last call counts."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Console())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("service").setLevel(logging.INFO)


class Console(logging.Formatter):
    """A line of text, with the id of the request at its end."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """Called by logging."""
        request = current()
        return super().formatMessage(record) + (f" [{request.request_id}]" if request else "")


class JsonLines(logging.Formatter):
    """A JSON object in a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Called by logging."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := current():
            line |= {"request_id": request.request_id} | ({"trace_id": request.trace_id} if request.trace_id else {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line | getattr(record, FIELDS, {}), default=str).decode()
