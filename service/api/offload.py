"""Run parsing and serialization in threads, so that they do not hold up the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

SMALL = 32_768
"""Bytes that are parsed or written in about a millisecond, sooner than a thread wakes up."""

THREADS = ThreadPoolExecutor(2, thread_name_prefix="json")


async def run(work: Callable[[], Result], size: int) -> Result:
    """The result of `work` on so many bytes: in a thread unless they are few."""
    return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(THREADS, work)
