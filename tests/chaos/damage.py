"""Damaged values in Redis."""

import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
from redis.asyncio import Redis

from tests.chaos.load import Load
from tests.chaos.parts import Parts


@asynccontextmanager
async def states(parts: Parts, load: Load) -> AsyncIterator[None]:
    """Flip a bit of every state, and kill the workers, so that they load the states."""
    damaged = 0
    async with Redis(port=parts.to_redis.port) as redis:
        async for key in redis.scan_iter(match="handful:*:state"):
            size = await redis.strlen(key)
            if size:
                offset = random.randrange(size)
                byte = await redis.getrange(key, offset, offset)
                await redis.setrange(key, offset, bytes([ord(byte) ^ 1]))
                damaged += 1
    for worker in parts.workers():
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(signal.SIGKILL)
    load.tally.note = f"{damaged} states damaged"
    yield
