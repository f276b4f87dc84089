"""Where inputs are decoded, so that the event loop is not held up."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.inputs.decoder_pool import DecoderPool
from service.inputs.drawing import Drawing
from service.inputs.kind import Decoded, InputKind
from service.inputs.limits import Limits
from service.settings import Settings

Result = TypeVar("Result")

SMALL = 32_768
"""Bytes or numbers that are read in about a millisecond."""

THREADS = ThreadPoolExecutor(2, thread_name_prefix="decode")
"""Few, since each may hold max_image_pixels numbers, at eight bytes each."""

PROBE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""


async def run(work: Callable[[], Result], size: int) -> Result:
    """The result of `work` on input of this size. Small work is done at once: waking a thread takes longer."""
    return work() if size <= SMALL else await asyncio.get_running_loop().run_in_executor(THREADS, work)


class Decoder:
    """Decodes the inputs of requests: numbers at once or in a thread, files in a process."""

    def __init__(self, settings: Settings) -> None:
        self._limits = Limits(settings.max_image_pixels)
        share = settings.decoders if len(settings.api_keys) < 2 else max(1, settings.decoders - 1)
        self._pool = DecoderPool(settings.decoders, share, self._limits, settings.decode_cpu_s, settings.deadline_s)

    async def decode(self, kind: InputKind, raw: Sequence[Any], fields: Sequence[str], tenant: str) -> Decoded:
        """Decode the inputs of one request. Raises Unprocessable, Busy, DeadlineExceeded, Unavailable."""
        if kind.has_files(raw):
            return await self._pool.decode(kind, raw, fields, tenant)
        return await run(lambda: kind.decode(raw, fields, self._limits), kind.work(raw))

    async def check(self) -> None:
        """Decode a small file. Raises Busy when others use all processes, DeadlineExceeded, Unavailable."""
        await self._pool.decode(Drawing(size=1), [PROBE], ["probe"], "probe/")

    async def close(self) -> None:
        """End the processes."""
        await self._pool.close()
