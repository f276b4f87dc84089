"""The features of inputs that were encoded a short time ago, so that identical inputs are encoded once."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, stack

from service.arrays import TEXT, Array

LARGE_IMAGE = 4096
"""Numbers of an image from which looking it up takes much less than encoding it. Texts are looked up in any case."""
ENTRY_BYTES = 400
"""Bytes of an entry beside its features."""


class Key(NamedTuple):
    """An input of a tenant, for a model. The content is a SHA-256: the cache holds no inputs."""

    tenant: str
    model: str
    content: bytes


class _Entry(NamedTuple):
    features: Tensor
    expires: float

    def nbytes(self) -> int:
        return self.features.nbytes + ENTRY_BYTES


class FeatureCache:
    """Features of at most `capacity` bytes, each for at most `seconds`. The oldest make room. For several threads."""

    def __init__(self, capacity: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._seconds, self._clock = capacity, seconds, clock
        self._entries: dict[Key, _Entry] = {}  # in the order in which they were encoded, and expire
        self._lock = threading.Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def accepts(self, tenant: str, inputs: Array) -> bool:
        """Whether inputs (n, *input) are looked up: those of a tenant that are slow to encode."""
        slow = inputs.dtype == TEXT or (inputs.ndim == 4 and inputs[:1].size >= LARGE_IMAGE)
        return slow and tenant != "" and self._capacity > 0

    def encode(self, keys: Sequence[Key], inputs: Array, encode: Callable[[Array], Tensor]) -> tuple[Tensor, int]:
        """Features (n, *features) of inputs (n, *input), and how many inputs were encoded for it."""
        known = self._known(keys)
        new = {key: i for i, key in reversed(list(enumerate(keys))) if key not in known}
        if len(new) == len(keys):
            features = encode(inputs)
            self._put(dict(zip(keys, features, strict=True)))
            return features, len(keys)
        if new:
            encoded = dict(zip(new, encode(inputs[list(new.values())]), strict=True))
            self._put(encoded)
            known |= encoded
        return stack([known[key] for key in keys]), len(new)

    def expire(self) -> None:
        """Remove what is too old."""
        with self._lock:
            self._remove_oldest()

    def _known(self, keys: Sequence[Key]) -> dict[Key, Tensor]:
        with self._lock:
            self._remove_oldest()
            return {key: self._entries[key].features for key in keys if key in self._entries}

    def _put(self, features: dict[Key, Tensor]) -> None:
        """Keep features, each in memory of its own."""
        expires = self._clock() + self._seconds
        entries = {key: _Entry(each.clone(), expires) for key, each in features.items()}
        with self._lock:
            for key, entry in entries.items():
                self._remove(key)
                self._entries[key] = entry
                self.bytes += entry.nbytes()
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        now = self._clock()
        while self._entries:
            oldest = next(iter(self._entries))
            if self.bytes <= self._capacity and now < self._entries[oldest].expires:
                return
            self._remove(oldest)

    def _remove(self, key: Key) -> None:
        if entry := self._entries.pop(key, None):
            self.bytes -= entry.nbytes()


def keys_of(tenant: str, model: str, inputs: Array) -> list[Key]:
    """The key of each input (n, *input)."""
    kind = f"{inputs.dtype} {inputs.shape[1:]} ".encode()
    contents = (one.encode() for one in inputs.tolist()) if inputs.dtype == TEXT else (one.tobytes() for one in inputs)
    return [Key(tenant, model, hashlib.sha256(kind + content).digest()) for content in contents]
