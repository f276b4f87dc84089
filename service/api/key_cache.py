"""The API keys that were used recently, so that a request with a known key waits for no answer of Redis."""

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime

from service.errors import HandfulError
from service.store.key_ring import Found, KeyRing
from service.store.recent import Recent, put

USE_S = 60.0
"""Seconds between two writes of a key's last use, for each API process."""


class KeyCache:
    """The keys of one `KeyRing`, at most two seconds old."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring, self._recent = ring, Recent(ring.find)
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    async def find(self, key_id: str) -> Found:
        """A key by its id, and whether keys are asked for. Raises Unavailable."""
        return await self._recent.get(key_id)

    def note_use(self, key_id: str) -> None:
        """Store in the background that a key was used, at most once in `USE_S`."""
        now = time.monotonic()
        if now - self._noted.get(key_id, -USE_S) < USE_S:
            return
        put(self._noted, key_id, now)
        task = asyncio.create_task(self._write_use(key_id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, key_id: str) -> None:
        with suppress(HandfulError):
            await self._ring.note_use(key_id, datetime.now(UTC))

    async def close(self) -> None:
        """Wait for the lookups and writes that run."""
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._recent.settled()
