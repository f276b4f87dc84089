"""Recent lookups of rarely changed values, so that requests wait for no answer of Redis."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from service.errors import Unavailable

Value = TypeVar("Value")

STALE_S = 2.0
"""Seconds after which a lookup is repeated before it is used. A change takes effect after at most so long."""
LAST_S = 600.0
"""Seconds for which a lookup is used while Redis, or the node of it that knows better, does not answer."""
FRESH_S = 1.0
"""Seconds after which a lookup that is still used is repeated in the background."""
SETTLE_S = 4.0
"""Seconds to wait for lookups at the end of the process."""
MOST = 10_000
"""Lookups that are remembered; the least recently used are dropped first."""


class _Lookup(NamedTuple, Generic[Value]):
    value: Value
    began: float
    failed: float = -math.inf

    def failed_lately(self) -> bool:
        """Whether a later lookup has just failed, so that the next request need not wait for another one."""
        return time.monotonic() - self.failed < FRESH_S


class Recent(Generic[Value]):
    """Values by name, at most `STALE_S` old while Redis answers. `read` reads one."""

    def __init__(self, read: Callable[[str], Awaitable[Value]]) -> None:
        self._read = read
        self._lookups: OrderedDict[str, _Lookup[Value]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Value]] = {}

    async def get(self, name: str) -> Value:
        """The value of a name. Raises what `read` raises, if there is no value that is new enough."""
        known = self._lookups.get(name)
        age = LAST_S if known is None else time.monotonic() - known.began
        if known is None or age >= LAST_S:
            return await asyncio.shield(self._look_up(name))
        if age >= STALE_S and not known.failed_lately():
            with suppress(Unavailable):
                return await asyncio.shield(self._look_up(name))
        elif age >= FRESH_S:
            self._look_up(name)
        return known.value

    def forget(self, name: str) -> None:
        """Look a name up again at its next use."""
        self._lookups.pop(name, None)

    async def settled(self) -> None:
        """Wait a moment for the lookups that run. Each ends within the time-out of Redis, but in a Cluster they connect
        to a silent node one after another."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=SETTLE_S)

    def _look_up(self, name: str) -> "asyncio.Task[Value]":
        """Look a name up, or join the lookup that is running."""
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.create_task(self._looked_up(name))
            task.add_done_callback(lambda ended: self._ended(name, ended))
        return task

    async def _looked_up(self, name: str) -> Value:
        began = time.monotonic()
        value = await self._read(name)
        put(self._lookups, name, _Lookup(value, began))
        return value

    def _ended(self, name: str, task: "asyncio.Task[Value]") -> None:
        del self._running[name]
        if not task.cancelled() and task.exception() is not None:  # in the background it is not an error
            known = self._lookups.get(name)
            if known is not None:
                self._lookups[name] = known._replace(failed=time.monotonic())


def put(entries: OrderedDict[str, Any], name: str, value: Any) -> None:
    """Set an entry, and drop the oldest one of more than `MOST`."""
    entries[name] = value
    entries.move_to_end(name)
    if len(entries) > MOST:
        entries.popitem(last=False)
