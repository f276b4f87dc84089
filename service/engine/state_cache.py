"""A cache that is bounded by bytes and evicts the least recently used entry first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class StateCache(Generic[Value]):
    """A mapping that keeps at most `capacity` bytes. Safe for several threads."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.bytes = capacity, 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Value | None:
        """Return the value and make it the most recently used."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value of `size` bytes; evict others for it. The latest value stays even above the capacity."""
        with self._lock:
            self._remove(key)
            self._entries[key] = (value, size)
            self.bytes += size
            while self.bytes > self.capacity and len(self._entries) > 1:
                self._remove(next(iter(self._entries)))

    def evict(self, key: Hashable) -> None:
        """Remove a value, if it is there."""
        with self._lock:
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        _, size = self._entries.pop(key, (None, 0))
        self.bytes -= size
