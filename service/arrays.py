"""Arrays of numbers and texts without torch, and the support set that is made of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]

TEXT = np.dtypes.StringDType()
"""The dtype of an array of texts of any length."""


UNLABELLED = -1
"""The target of an example without a label."""


class SupportSet(NamedTuple):
    """A client's labelled examples, from decoding to the learner and to the store.

    inputs   (n, *input)
    targets  (n,) int64 class indices, UNLABELLED for examples without a label; (n, ways) bool, whether each example
             has each class, where it may have several; or (n, outputs) float32 for regression
    ways     number of classes; 0 for regression
    names    the names of the classes (ways,), for learners that use them; None: they must not be used
    weights  (n,) float32, what each example counts for, 0 to 1; None: 1
    """

    inputs: Array
    targets: Array
    ways: int
    names: Array | None = None
    weights: Array | None = None

    @property
    def unlabelled(self) -> int:
        """How many examples have no label."""
        return int((self.targets == UNLABELLED).sum()) if self.ways and not self.several else 0

    @property
    def several(self) -> bool:
        """Whether an example may have several labels."""
        return self.ways > 0 and self.targets.ndim > 1


INFINITE = np.uint16(0x7C00)
"""The exponent bits of a float16 that is infinite or NaN."""


def all_finite(values: Array) -> bool:
    """Whether all numbers of an array are finite. Reads the bits of float16: numpy takes ten times as long to convert
    them."""
    if values.dtype == np.float16:
        return bool((values.view(np.uint16) & INFINITE).max(initial=0) < INFINITE)
    return bool(np.isfinite(values).all())


def text_array(texts: Sequence[str]) -> Array:
    """Texts as an array (n,)."""
    return np.array(texts, dtype=TEXT)


def pack_texts(texts: Array) -> tuple[Array, Array]:
    """Texts (n,) as their UTF-8 bytes, one behind the other, and the number of bytes of each (n,)."""
    encoded = [text.encode() for text in texts.tolist()]
    return np.frombuffer(b"".join(encoded), np.uint8), np.array([len(each) for each in encoded], np.int64)


def unpack_texts(data: Array, lengths: Array) -> Array:
    """The texts that `pack_texts` packed. Raises ValueError."""
    ends = np.cumsum(lengths)
    if lengths.ndim != 1 or lengths.min(initial=0) < 0 or len(data) != (ends[-1] if len(ends) else 0):
        raise ValueError(f"{len(data)} bytes of texts whose lengths are {lengths.tolist()[:10]}")
    parts = np.split(data, ends[:-1]) if len(ends) else []
    return text_array([bytes(part).decode() for part in parts])
