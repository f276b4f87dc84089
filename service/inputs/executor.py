"""Work that would hold up the event loop, in a thread; what is done sooner than a thread wakes up, at once."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

SMALL = 32_768
"""Bytes or numbers that are read in about a millisecond."""
PIXELS = 8
"""For which a character of an image file counts; it may stand for thousands."""

THREADS = ThreadPoolExecutor(2, thread_name_prefix="offload")
"""Few, since each may hold a decoded image of max_image_pixels, some eight bytes a pixel."""


async def run(work: Callable[[], Result], size: int) -> Result:
    """The result of `work` on input of this size."""
    return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(THREADS, work)


def size_of(inputs: Sequence[Any]) -> int:
    """About how much there is to decode: of images the squares that they are padded to."""
    return sum(_size(one) for one in inputs)


def _size(one: Any) -> int:
    if isinstance(one, str):
        return len(one) * PIXELS
    if isinstance(one, np.ndarray):
        return one.size if one.ndim < 2 else max(one.shape) ** 2
    if not isinstance(one, list):
        return 1
    rows = [len(row) for row in one if isinstance(row, list)]
    return max(len(one), *rows) ** 2 if rows else len(one)
