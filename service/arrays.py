"""Numbers where there is no torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]

INFINITE = np.uint16(0x7C00)
"""The exponent of a float16 that is infinite or no number."""


def all_finite(values: Array) -> bool:
    """Whether all of an array's numbers are finite; of float16 by their bits, of which numpy takes ten times as long to
    make numbers."""
    if values.dtype == np.float16:
        return bool((values.view(np.uint16) & INFINITE).max(initial=0) < INFINITE)
    return bool(np.isfinite(values).all())
