"""Retries of commands after a connection failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_repeatable: ContextVar[bool] = ContextVar("repeatable", default=True)


@contextmanager
def no_retry() -> Iterator[None]:
    """Send commands once. A command without a reply may have run, so only idempotent commands may be repeated."""
    before = _repeatable.set(False)
    try:
        yield
    finally:
        _repeatable.reset(before)


class Once(Retry):
    """Retries once, because Redis may have restarted since a connection was opened. Never retries inside `no_retry`."""

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1)

    def get_retries(self) -> int:
        """Called by redis-py for a Cluster."""
        return super().get_retries() if _repeatable.get() else 0

    async def call_with_retry(self, *args: Any, **named: Any) -> Any:
        """Called by redis-py for one server."""
        if _repeatable.get():
            return await super().call_with_retry(*args, **named)
        return await Retry(NoBackoff(), 0).call_with_retry(*args, **named)
