"""Where inputs are decoded, so that the event loop is not held up."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.inputs.kind import Decoded, InputKind
from service.inputs.limits import Limits

Result = TypeVar("Result")

SMALL = 32_768
"""Bytes or numbers that are read in about a millisecond."""

THREADS = ThreadPoolExecutor(2, thread_name_prefix="decode")
"""Few, since each may hold max_image_pixels numbers, at eight bytes each."""


async def run(work: Callable[[], Result], size: int) -> Result:
    """The result of `work` on input of this size. Small work is done at once: waking a thread takes longer."""
    return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(THREADS, work)


async def decode(kind: InputKind, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
    """Decode the inputs of one request. Raises Unprocessable."""
    return await run(lambda: kind.decode(raw, fields, limits), kind.work(raw))
