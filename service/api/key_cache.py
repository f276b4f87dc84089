"""Recent lookups of API keys, so that a request with a known key waits for no answer of Redis."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from service.errors import HandfulError
from service.store.key_ring import Found, KeyRing

STALE_S = 2.0
"""Seconds after which a lookup is not used any more. A revoked key is refused after at most so long."""
FRESH_S = 1.0
"""Seconds after which a lookup that is still used is repeated in the background."""
USE_S = 60.0
"""Seconds between two writes of a key's last use, for each API process."""
MOST = 10_000
"""Lookups that are remembered; the least recently used are dropped first."""


class _Lookup(NamedTuple):
    found: Found
    began: float


class KeyCache:
    """The keys of one `KeyRing`, at most `STALE_S` old."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._lookups: OrderedDict[str, _Lookup] = OrderedDict()
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._running: dict[str, asyncio.Task[Found]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def find(self, key_id: str) -> Found:
        """A key by its id, and whether keys are asked for. Raises Unavailable."""
        known = self._lookups.get(key_id)
        age = STALE_S if known is None else time.monotonic() - known.began
        if known is None or age >= STALE_S:
            return await asyncio.shield(self._look_up(key_id))
        self._lookups.move_to_end(key_id)
        if age >= FRESH_S:
            self._look_up(key_id)
        return known.found

    def note_use(self, key_id: str) -> None:
        """Store in the background that a key was used, at most once in `USE_S`."""
        now = time.monotonic()
        if now - self._noted.get(key_id, -USE_S) < USE_S:
            return
        _put(self._noted, key_id, now)
        self._in_background(self._ring.note_use(key_id, datetime.now(UTC)))

    async def close(self) -> None:
        """End all lookups."""
        tasks = [*self._running.values(), *self._writing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look_up(self, key_id: str) -> "asyncio.Task[Found]":
        """Look a key up, or wait for the lookup that is running."""
        task = self._running.get(key_id)
        if task is None:
            task = self._running[key_id] = asyncio.create_task(self._read(key_id))
            task.add_done_callback(lambda ended: self._ended(key_id, ended))
        return task

    async def _read(self, key_id: str) -> Found:
        began = time.monotonic()
        found = await self._ring.find(key_id)
        _put(self._lookups, key_id, _Lookup(found, began))
        return found

    def _ended(self, key_id: str, task: "asyncio.Task[Found]") -> None:
        del self._running[key_id]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; in the background it is not an error

    def _in_background(self, write: Coroutine[Any, Any, None]) -> None:
        async def attempt() -> None:
            with suppress(HandfulError):
                await write

        task = asyncio.create_task(attempt())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


def _put(entries: OrderedDict[str, Any], name: str, value: Any) -> None:
    entries[name] = value
    entries.move_to_end(name)
    if len(entries) > MOST:
        entries.popitem(last=False)
