"""What each tenant stores: clients, examples and bytes.

On one server, the scripts that write a client also count it, so the counts are exact. In a Cluster, the counts lie in
another slot: a client is counted before it is written, and again, by its record, afterwards.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from service.errors import CorruptRecord, HandfulError, QuotaExceeded, StorageExceeded, Unauthorized
from service.store.checksums import as_bytes, parse_record
from service.store.connect import Client
from service.store.keys import record_key, sizes_key, usage_key
from service.store.quotas import Quota, QuotaBook
from service.store.records import Blob, ClientKey, Record
from service.store.redis_client import has_slots, reply
from service.store.scripts import COUNT_AGAIN
from service.store.tenant_scripts import CLOSE, COUNT, ROOM, STORED, UNCOUNT

CLOSED_S = 3600
"""Seconds for which a deleted tenant is remembered. Requests that ran when it was deleted have ended long before."""
ERRORS: dict[str, type[HandfulError]] = {
    "clients": QuotaExceeded,
    "examples": QuotaExceeded,
    "bytes": StorageExceeded,
}
WAYS_OUT = {
    "clients": "DELETE clients",
    "examples": "Remove examples or DELETE clients",
    "bytes": "Remove examples or DELETE clients",
}


class Stored(NamedTuple):
    """What a tenant stores."""

    clients: int
    examples: int
    bytes: int


def usage_keys(tenant: str) -> list[str]:
    """The keys of what a tenant uses, in the order in which the scripts take them."""
    return [sizes_key(tenant), usage_key(tenant)]


class Usage:
    """The counts in one Redis."""

    def __init__(self, redis: Client, turn: Callable[[], AbstractAsyncContextManager[None]], quotas: QuotaBook) -> None:
        self._redis, self._turn, self._quotas = redis, turn, quotas
        self._elsewhere = has_slots(redis)

    async def stored(self, tenant: str) -> Stored:
        """What a tenant stores. Raises Unavailable."""
        async with self._turn():
            found = await reply(self._redis.eval(STORED, 2, *usage_keys(tenant)))
        return Stored(*(int(each or 0) for each in found))

    async def clients(self, tenant: str) -> int:
        """The number of counted clients. Raises Unavailable."""
        async with self._turn():
            return int(await reply(self._redis.hlen(sizes_key(tenant))))

    async def arguments(self, client: ClientKey, record: Record) -> list[Any]:
        """The last values of WRITE: the client, what it stores, and the limits of its tenant."""
        limits = _limits(await self._quotas.of(client.tenant))
        return [client.client_id, record.examples, record.bytes, *limits]

    async def check_room(self, client: ClientKey, examples: int, size: int) -> None:
        """Refuse a client that would have so many examples and at least so many bytes, before any work.

        Raises:
            QuotaExceeded, StorageExceeded, Unauthorized: The tenant may not store so much.
        """
        quota = await self._quotas.of(client.tenant)
        if not quota.limits_storage:
            return
        limits = _limits(quota)
        async with self._turn():
            done = await reply(
                self._redis.eval(ROOM, 2, *usage_keys(client.tenant), client.client_id, examples, size, *limits)
            )
        await self.checked(client.tenant, done)

    async def checked(self, tenant: str, done: Any) -> int:
        """The return value of a script that may have refused. Raises QuotaExceeded, StorageExceeded, Unauthorized."""
        if not isinstance(done, bytes):
            return int(done)
        name, used = done.decode().split(" ")
        if name == "closed":
            raise Unauthorized("This tenant was deleted. Nothing was changed.")
        limit = getattr(await self._quotas.of(tenant), name)
        raise ERRORS[name](
            f"The tenant stores {used} {name}; its quota is {limit}, and this request needs more. Nothing was changed. "
            f"{WAYS_OUT[name]}, or ask the operator for more. GET /usage shows what is stored.",
        )

    async def close(self, tenant: str) -> None:
        """Refuse every write for a tenant, from this moment on, until it has a new key or `CLOSED_S` have passed."""
        async with self._turn():
            await reply(self._redis.eval(CLOSE, 1, usage_key(tenant), CLOSED_S))

    async def reopen(self, tenant: str) -> None:
        """Allow writes for a tenant again."""
        async with self._turn():
            if await reply(self._redis.hdel(usage_key(tenant), "closed")):
                await reply(self._redis.persist(usage_key(tenant)))

    async def count(self, client: ClientKey, record: Record) -> None:
        """Count what a client is about to store. Raises QuotaExceeded, StorageExceeded, and the errors of redis-py."""
        arguments = await self.arguments(client, record)
        done = await reply(self._redis.eval(COUNT, 2, *usage_keys(client.tenant), *arguments))
        await self.checked(client.tenant, done)

    async def count_again(self, client: ClientKey) -> bool:
        """Count what a client stores, by its record; nothing if that is corrupt. Raises the errors of redis-py.

        Returns:
            Whether there is a record.
        """
        keys = usage_keys(client.tenant)
        text, examples, size = await self._read(client)
        if text is None:
            await reply(self._redis.eval(UNCOUNT, 2, *keys, client.client_id))
        elif self._elsewhere:
            await reply(self._redis.eval(COUNT, 2, *keys, client.client_id, examples, size, "", "", ""))
        else:  # a request that changes the client meanwhile counts it itself
            arguments = text, client.client_id, examples, size
            await reply(self._redis.eval(COUNT_AGAIN, 3, record_key(client), *keys, *arguments))
        return text is not None

    async def _read(self, client: ClientKey) -> tuple[Blob, int, int]:
        """The stored record of a client, its examples and bytes."""
        text: Blob = b""
        try:
            text = await reply(self._redis.get(record_key(client)))
            record = parse_record(text)
        except (CorruptRecord, ResponseError):
            return text, 0, 0
        return (None, 0, 0) if record is None else (text, record.examples, record.bytes)

    async def drop_others(self, tenant: str, known: Collection[str]) -> None:
        """Stop counting clients that are not known and have no record."""
        async with self._turn():
            for name in await reply(self._redis.hkeys(sizes_key(tenant))):
                if (client := as_bytes(name).decode()) not in known:
                    await self.count_again(ClientKey(tenant, client))


def _limits(quota: Quota) -> list[Any]:
    """The limits of what is stored, as the scripts take them: empty for none."""
    return ["" if limit is None else limit for limit in (quota.clients, quota.examples, quota.bytes)]
