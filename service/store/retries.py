"""When a command is sent again after its connection failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_repeatable: ContextVar[bool] = ContextVar("repeatable", default=True)


@contextmanager
def no_retry() -> Iterator[None]:
    """Send commands once. A command whose reply was lost may have run, so only idempotent ones may be repeated."""
    before = _repeatable.set(False)
    try:
        yield
    finally:
        _repeatable.reset(before)


class Once(Retry):
    """Retries once, because a pooled connection may belong to a Redis that has restarted; never inside `no_retry`."""

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1)

    def get_retries(self) -> int:
        """Of a Cluster, which retries by itself."""
        return super().get_retries() if _repeatable.get() else 0

    async def call_with_retry(self, *args: Any, **named: Any) -> Any:
        """Of one server."""
        if _repeatable.get():
            return await super().call_with_retry(*args, **named)
        return await Retry(NoBackoff(), 0).call_with_retry(*args, **named)
