"""The states held on the device: least recently used out first, by bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class StateCache(Generic[Value]):
    """A mapping that holds at most `capacity` bytes. For one thread."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.bytes = capacity, 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Value | None:
        """The value, now the most recently used."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Hold a value of `size` bytes, at the cost of others. The latest is always held, even alone above capacity."""
        self.evict(key)
        self._entries[key] = (value, size)
        self.bytes += size
        while self.bytes > self.capacity and len(self._entries) > 1:
            self.evict(next(iter(self._entries)))

    def evict(self, key: Hashable) -> None:
        """Hold a value no longer."""
        _, size = self._entries.pop(key, (None, 0))
        self.bytes -= size
