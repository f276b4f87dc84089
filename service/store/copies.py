"""Waits until replicas of Redis have what was written, so that a failover cannot lose it.

Redis answers a write before its replicas have it. WAIT counts the replicas that have all earlier writes of the same
connection (https://valkey.io/commands/wait). A write of no importance goes before it, on the same connection, so it
covers whatever was written on any other connection before.
"""

from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from service.errors import Unavailable
from service.store.batched_reads import BatchedReads
from service.store.connect import Client
from service.store.keys import copied_key
from service.store.scripts import COPIED


class Copies:
    """The replicas of one Redis.

    Args:
        redis: The Redis.
        replicas: How many replicas must have a write. 0: none is waited for.
        timeout_s: Seconds to wait for them.
    """

    def __init__(self, redis: Client, replicas: int, timeout_s: float) -> None:
        self._redis, self._replicas, self._timeout_ms = redis, replicas, max(1, int(timeout_s * 1000))
        self._shared = BatchedReads(self._count_together)

    async def confirm(self, key: str) -> None:
        """Return when enough replicas have what was written beside `key`. Raises Unavailable if they do not get it."""
        if not self._replicas:
            return
        shared = not isinstance(self._redis, RedisCluster)  # in a Cluster, each node has replicas of its own
        copies = await (self._shared.get(key) if shared else self._count(key, self._replicas))
        if copies < self._replicas:
            raise Unavailable(
                f"This was done, but {copies} replicas of Redis have it, and {self._replicas} must "
                "(HANDFUL_REDIS_REPLICAS). A failover now would lose it. Send the same request again."
            )

    async def try_wait(self, key: str) -> None:
        """Run the commands, whether or not the replicas are there. Raises the errors of redis-py."""
        if self._replicas:
            await self._count(key, 0)

    async def _count_together(self, keys: list[str]) -> list[int]:
        return [await self._count(keys[0], self._replicas)] * len(keys)

    async def _count(self, key: str, enough: int) -> int:
        """How many replicas have all that was written, as soon as `enough` have it or the time is over."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.eval(COPIED, 1, copied_key(key))
        pipe.execute_command("WAIT", enough, self._timeout_ms, **self._node_of(key))
        written, copies = await pipe.execute(raise_on_error=False)
        if isinstance(copies, ResponseError) and str(copies).startswith("UNBLOCKED"):
            return 0  # the master has become a replica
        for each in (written, copies):
            if isinstance(each, Exception):
                raise each
        return int(copies)

    def _node_of(self, key: str) -> dict[str, Any]:
        if isinstance(self._redis, RedisCluster):
            return {"target_nodes": self._redis.get_node_from_key(key)}
        return {}
