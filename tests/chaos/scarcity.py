"""A full volume for Redis, and workers without memory."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
from safetensors.numpy import save

from tests.chaos.load import Load
from tests.chaos.parts import Parts

SPARE = 2**20
"""Bytes that a worker may still allocate."""
LARGE, WAYS = 1500, 3
"""Examples and classes of an adapt that does not fit into memory."""


@asynccontextmanager
async def full_volume(parts: Parts, load: Load) -> AsyncIterator[None]:
    """Fill the volume of Redis to the last byte."""
    filling, starts = parts.volume / "filling", parts.redis.starts
    with filling.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    try:
        yield
    finally:
        filling.unlink()
        load.tally.note = f"Redis ended {parts.redis.starts - starts} times"


@asynccontextmanager
async def no_memory(parts: Parts, load: Load) -> AsyncIterator[None]:
    """Leave the workers almost no memory, and send large adapts."""
    before = {worker: worker.rlimit(resource.RLIMIT_AS) for worker in parts.workers()}
    for worker, (_, hard) in before.items():
        worker.rlimit(resource.RLIMIT_AS, (worker.memory_info().vms + SPARE, hard))
    asking = asyncio.create_task(_ask_for_much(load))
    try:
        yield
    finally:
        asking.cancel()
        for worker, limits in before.items():
            if worker.is_running():
                worker.rlimit(resource.RLIMIT_AS, limits)


async def _ask_for_much(load: Load) -> None:
    inputs = np.random.default_rng(0).integers(0, 256, (LARGE, 28, 28), dtype=np.uint8)
    labels = str([i % WAYS for i in range(LARGE)])
    body = save({"inputs": inputs}, {"client_id": "large", "model": "glyphs-protonet", "labels": labels})
    refused = 0
    while True:
        response = await load.post("/adapt", body, "application/safetensors")
        refused += response is not None and response.status_code != 200
        load.tally.note = f"{refused} adapts of {LARGE} examples refused"
        await asyncio.sleep(0.1)
