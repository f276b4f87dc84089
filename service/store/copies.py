"""Writes that are acknowledged when replicas of Redis have them, so that a failover cannot lose them.

Redis answers a write before its replicas have it. WAIT counts the replicas that have all earlier writes of the same
connection (https://valkey.io/commands/wait), so it is sent right behind the write, on its connection: after a failover,
another connection may lead to a master that has not got the write.
"""

from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import AskError, MovedError, ResponseError

from service.errors import Unavailable
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
        self._not_sent_on = {"allow_redirections": False} if isinstance(redis, RedisCluster) else {}
        """In a Cluster, a script that goes to another node would go without its WAIT."""

    async def eval(self, script: str, count: int, *rest: Any) -> Any:
        """Run a script that writes, as `Redis.eval` does. Returns its value when enough replicas have what it wrote.

        Raises:
            Unavailable: They have not got it in time.
        """
        if not self._replicas:
            return await self._redis.eval(script, count, *rest)
        try:
            done, copies = await self._then_wait(self._replicas, script, count, *rest)
        except (MovedError, AskError):  # the slot is on another node of the Cluster: nothing was done here
            done = await self._redis.eval(script, count, *rest)
            copies = await self._copies(rest[0], self._replicas)
        if done:
            self._check(copies)
        return done

    async def confirm(self, key: str) -> None:
        """Return when enough replicas have what was written on the server of `key` before. Raises Unavailable."""
        if self._replicas:
            self._check(await self._copies(key, self._replicas))

    async def try_wait(self, key: str) -> None:
        """Run the commands, whether or not the replicas are there. Raises the errors of redis-py."""
        if self._replicas:
            await self._copies(key, 0)

    def _check(self, copies: int) -> None:
        if copies < self._replicas:
            raise Unavailable(
                f"{copies} replicas of Redis have all that was written, and {self._replicas} must "
                "(HANDFUL_REDIS_REPLICAS). This may have been done, and a failover would lose it. Send it again."
            )

    async def _copies(self, key: str, enough: int) -> int:
        """How many replicas have all that was written so far, as soon as `enough` have. A connection waits for its own
        writes, so one goes first that covers those of the others."""
        try:
            _, copies = await self._then_wait(enough, COPIED, 1, copied_key(key))
            return copies
        except (MovedError, AskError):  # the slot moves just now
            return 0

    async def _then_wait(self, enough: int, script: str, count: int, *rest: Any) -> tuple[Any, int]:
        """Run a script and WAIT on one connection. Returns the value, and how many replicas have what was written."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.eval(script, count, *rest)
        pipe.execute_command("WAIT", enough, self._timeout_ms, **await self._node_of(rest[0]))
        done, copies = await pipe.execute(raise_on_error=False, **self._not_sent_on)
        if isinstance(copies, ResponseError) and str(copies).startswith("UNBLOCKED"):
            copies = 0  # the master has become a replica
        for each in (done, copies):
            if isinstance(each, Exception):
                raise each
        return done, int(copies)

    async def _node_of(self, key: str) -> dict[str, Any]:
        """In a Cluster, where to send WAIT, which has no key."""
        if not isinstance(self._redis, RedisCluster):
            return {}
        await self._redis.initialize()
        return {"target_nodes": self._redis.get_node_from_key(key)}
