"""Work that would hold up the event loop, in a thread; what is done sooner than a thread wakes up, at once."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

SMALL = 32_768
"""Characters, bytes or numbers that are read in about a millisecond."""


THREADS = ThreadPoolExecutor(2, thread_name_prefix="offload")
"""Few, since each may hold a decoded image of max_image_pixels, four bytes a pixel."""


async def run(work: Callable[[], Result], size: int) -> Result:
    """The result of `work` on input of this size."""
    return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(THREADS, work)


def size_of(inputs: Sequence[Any]) -> int:
    """About how much there is to decode: the characters of texts, the numbers of rows."""
    return sum(_size(one) for one in inputs)


def _size(one: Any) -> int:
    if isinstance(one, list):
        try:
            return sum(map(len, one))
        except TypeError:  # a list of numbers
            return len(one)
    return len(one) if isinstance(one, str) else getattr(one, "size", 1)
