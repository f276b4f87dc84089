"""Arrays without torch, and the support set that is made of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


class SupportSet(NamedTuple):
    """A client's labelled examples, from decoding to the learner and to the store.

    inputs   (n, *input)
    targets  (n,) int64 class indices, or (n, outputs) float32 for regression
    ways     number of classes; 0 for regression
    """

    inputs: Array
    targets: Array
    ways: int


INFINITE = np.uint16(0x7C00)
"""The exponent bits of a float16 that is infinite or NaN."""


def all_finite(values: Array) -> bool:
    """Whether all numbers of an array are finite. Reads the bits of float16: numpy takes ten times as long to convert
    them."""
    if values.dtype == np.float16:
        return bool((values.view(np.uint16) & INFINITE).max(initial=0) < INFINITE)
    return bool(np.isfinite(values).all())
