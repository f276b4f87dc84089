"""Run work in threads, so that it does not block the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

SMALL = 32_768
"""Bytes or numbers that take about a millisecond: less than waking a thread."""

BYTES_PER_EXAMPLE = 500
"""What takes as long as the bookkeeping of one example."""


class Executor:
    """Two threads: each may hold a whole request in memory, so there are few."""

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result], size: int) -> Result:
        """The result of `work` on `size` bytes or numbers. Small work runs at once, in the event loop."""
        return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(self._threads, work)
