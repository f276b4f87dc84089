"""Calls to Redis: the limit of concurrent calls, and errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import OutOfMemoryError, RedisClusterException, RedisError, ResponseError

from service.errors import StoreFull, Unavailable
from service.store.batched_reads import BatchedReads
from service.store.connect import Client
from service.store.records import Blob

log = logging.getLogger(__name__)

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""The exceptions of redis-py for a failing Redis or connection."""


def getter(client: Client) -> Callable[[str], Awaitable[Blob]]:
    """A function for GET. On one server, concurrent calls share one command, and a value of another type reads as None.

    In a Cluster they do not share it, because one node that is down would fail all calls."""
    return client.get if isinstance(client, RedisCluster) else BatchedReads(client.mget).get


def has_slots(client: Client) -> bool:
    """Whether keys with different hash tags may be on different servers. Then one script cannot write them."""
    return isinstance(client, RedisCluster)


def is_other_type(error: ResponseError) -> bool:
    """Whether a command was refused because the key holds a value of another type."""
    return str(error).startswith("WRONGTYPE")


async def reply(call: Any) -> Any:
    """A reply of redis-py, whose types also cover its blocking client."""
    return await call


class Turns:
    """Limits concurrent calls, and turns exceptions of redis-py into errors of the service."""

    def __init__(self, client: Client, count: int, timeout_s: float) -> None:
        self._client, self._free, self._timeout_s = client, asyncio.Semaphore(count), timeout_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn. Raises Unavailable, and StoreFull."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
            try:
                yield
            finally:
                self._free.release()
        except OutOfMemoryError as error:
            log.error("Redis is full: %s", error)
            raise StoreFull(
                f"The store is full{await self._fullness()}. Nothing was changed. DELETE clients, or give Redis more "
                "memory (HANDFUL_STORE_BYTES, or its maxmemory)."
            ) from error
        except ResponseError as error:
            log.error("Redis refused a command: %s: %s", type(error).__name__, error)
            raise Unavailable(f"The store refused a command ({type(error).__name__}). GET /readyz names it.") from error
        except FAILURES as error:
            log.warning("Redis failed: %s: %s", type(error).__name__, error)
            raise Unavailable(f"The store does not answer ({type(error).__name__}). Try again.") from error

    async def _fullness(self) -> str:
        """The memory that Redis uses and its limit, for an error; empty if it cannot say."""
        if isinstance(self._client, RedisCluster):
            return ""
        try:
            memory = await self._client.info("memory")
            return f": it uses {int(memory['used_memory'])} of {int(memory['maxmemory'])} bytes"
        except (*FAILURES, KeyError, ValueError):
            return ""
