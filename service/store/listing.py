"""The lists of clients: one for each tenant, and one of all expiries.

On one server, the scripts that write a client also write the lists, so they always agree. In a Cluster, the lists lie
in other slots: separate commands write them before and after the client, and reading repairs them.
"""

import logging
from datetime import datetime
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from service import metrics
from service.errors import CorruptRecord
from service.store import redis_client
from service.store.checksums import as_bytes, corrupt, parse_record
from service.store.connect import Client
from service.store.keys import EXPIRIES_KEY, client_of_record_key, index_key, record_key
from service.store.records import ClientKey, Record, unexpired
from service.store.redis_client import is_other_type
from service.store.scripts import UNLIST

log = logging.getLogger(__name__)


class Listing(NamedTuple):
    """A place in a sorted set."""

    key: str
    score: float
    member: str


def listings(client: ClientKey, expires_at: datetime | None) -> list[Listing]:
    """The places where a client is listed."""
    listed = [Listing(index_key(client.tenant), 0, client.client_id)]
    if expires_at is not None:
        listed.append(Listing(EXPIRIES_KEY, expires_at.timestamp(), ":".join(client)))
    return listed


def every_listing(client: ClientKey) -> list[Listing]:
    """All places where a client may be listed."""
    return [Listing(index_key(client.tenant), 0, client.client_id), Listing(EXPIRIES_KEY, 0, ":".join(client))]


class Lists:
    """The lists in one Redis. Raises the errors of redis-py."""

    def __init__(self, redis: Client) -> None:
        self._redis, self.elsewhere = redis, redis_client.has_slots(redis)

    async def add(self, client: ClientKey, expires_at: datetime | None) -> None:
        """List a client."""
        for key, score, member in listings(client, expires_at):
            await self._list("zadd", key, {member: score})

    async def has(self, client: ClientKey, expires_at: datetime | None) -> bool:
        """Whether a client is listed as it should be."""
        places = listings(client, expires_at)
        return [await self._list("zscore", key, member) for key, _, member in places] == [each.score for each in places]

    async def remove(self, client: ClientKey) -> None:
        """Unlist a client without a record. A client that is adapted at the same time ends up listed."""
        if self.elsewhere:
            await self._remove_and_check(client)
        else:
            places = every_listing(client)
            keys, members = [each.key for each in places], [each.member for each in places]
            await self._redis.eval(UNLIST, 1 + len(keys), record_key(client), *keys, *members)

    async def _remove_and_check(self, client: ClientKey) -> None:
        for key, _, member in every_listing(client):
            await self._list("zrem", key, member)
        await self._relist(client)

    async def count(self, tenant: str) -> int:
        """The number of clients of a tenant, including those that expired since the last sweep."""
        return int(await self._list("zcard", index_key(tenant)))

    async def due(self, now: float) -> list[bytes]:
        """The entries that have expired at the time `now`, in seconds since 1970."""
        found: list[bytes] = await self._list("zrangebyscore", EXPIRIES_KEY, 0, now)
        return found

    async def _list(self, command: str, key: str, *arguments: Any, **options: Any) -> Any:
        """Run a command on a list. If the key has a value of another type, the list is rebuilt first."""
        try:
            return await getattr(self._redis, command)(key, *arguments, **options)
        except ResponseError as error:
            if not is_other_type(error):
                raise
            await self._rebuild(key)
            return await getattr(self._redis, command)(key, *arguments, **options)

    async def _rebuild(self, key: str) -> None:
        """List every client of this Redis again. Concurrent writes list their own clients."""
        log.error("%s has a value of another type; rebuilding the lists", key)
        metrics.corrupt_records.inc()
        await self._redis.delete(key)
        async for name in self._redis.scan_iter(match=record_key(ClientKey("*", "*")), count=1000):
            if (client := client_of_record_key(name)) is not None:
                await self._relist(client)

    async def _relist(self, client: ClientKey) -> None:
        """List a client by its record, if it has one."""
        try:
            record = parse_record(await self._redis.get(record_key(client)))
        except (CorruptRecord, ResponseError):
            await self.add(client, None)
        else:
            if record is not None:
                await self.add(client, record.expires_at)

    async def ids(self, tenant: str, limit: int, after: str = "") -> list[str]:
        """Up to `limit` ids of a tenant after `after`. Entries that are no ids are removed."""
        start = b"(" + after.encode() if after else b"-"
        found = await self._list("zrangebylex", index_key(tenant), start, "+", start=0, num=limit)
        clients = [_client(tenant, each) for each in found]
        for each in [member for member, client in zip(found, clients, strict=True) if client is None]:
            await self._list("zrem", index_key(tenant), each)
        return [client.client_id for client in clients if client is not None]

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients with ids after `after`, sorted by id, without corrupt ones."""
        found: list[Record] = []
        start = b"(" + after.encode() if after else b"-"
        while len(found) < limit:
            ids = await self._list("zrangebylex", index_key(tenant), start, "+", start=0, num=limit - len(found))
            if not ids:
                break
            found += await self._records([_client(tenant, each) for each in ids])
            start = b"(" + ids[-1]
        return found

    async def _records(self, listed: list[ClientKey | None]) -> list[Record]:
        clients = [client for client in listed if client is not None]
        pipe = self._redis.pipeline(transaction=False)
        for client in clients:
            pipe.get(record_key(client))
        found = await pipe.execute(raise_on_error=False) if clients else []
        records = [await self._listed(*each) for each in zip(clients, found, strict=True)]
        return [record for record in records if record is not None]

    async def _listed(self, client: ClientKey, found: Any) -> Record | None:
        """The record of a listed client. A client without a record is unlisted."""
        if found is None:
            await self.remove(client)
        try:
            return unexpired(parse_record(_value(found)))
        except CorruptRecord:
            return None


def _client(tenant: str, member: bytes) -> ClientKey | None:
    """The client of a list entry; None for an invalid entry, which is counted."""
    try:
        return ClientKey(tenant, as_bytes(member).decode())
    except UnicodeDecodeError:
        metrics.corrupt_records.inc()
        return None


def _value(found: Any) -> Any:
    """A reply of a pipeline. Raises errors, and CorruptRecord for a value of another type."""
    if isinstance(found, ResponseError) and is_other_type(found):
        raise corrupt("record")
    if isinstance(found, Exception):
        raise found
    return found
