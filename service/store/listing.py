"""The lists of clients: those of each tenant, and those that expire.

On one server the scripts that write a client also write the lists, so both always agree. In a Cluster the lists lie in
other slots: they are written before and after, and repaired when they are read.
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
from service.store.keys import EXPIRIES_KEY, UNLIST, client_of_record_key, index_key, record_key
from service.store.records import ClientKey, Record, unexpired
from service.store.redis_client import is_other_type

log = logging.getLogger(__name__)


class Listing(NamedTuple):
    """A place in a sorted set."""

    key: str
    score: float
    member: str


def listings(client: ClientKey, expires_at: datetime | None) -> list[Listing]:
    """Where a client is listed."""
    listed = [Listing(index_key(client.tenant), 0, client.client_id)]
    if expires_at is not None:
        listed.append(Listing(EXPIRIES_KEY, expires_at.timestamp(), ":".join(client)))
    return listed


def every_listing(client: ClientKey) -> list[Listing]:
    """Wherever a client may be listed."""
    return [Listing(index_key(client.tenant), 0, client.client_id), Listing(EXPIRIES_KEY, 0, ":".join(client))]


class Lists:
    """The lists in one Redis. Raises what the library raises."""

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
        """Unlist a client whose record is gone. A client that comes back meanwhile is listed in the end."""
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
        """How many clients a tenant has, including those that have just expired."""
        return int(await self._list("zcard", index_key(tenant)))

    async def due(self, now: float) -> list[bytes]:
        """The entries of the expiries that are due at a time, in seconds since 1970."""
        found: list[bytes] = await self._list("zrangebyscore", EXPIRIES_KEY, 0, now)
        return found

    async def _list(self, command: str, key: str, *arguments: Any, **options: Any) -> Any:
        """Run a command on a list. A list that is a value of another type is rebuilt first."""
        try:
            return await getattr(self._redis, command)(key, *arguments, **options)
        except ResponseError as error:
            if not is_other_type(error):
                raise
            await self._rebuild(key)
            return await getattr(self._redis, command)(key, *arguments, **options)

    async def _rebuild(self, key: str) -> None:
        """List every client of this Redis again. Clients that are written meanwhile list themselves."""
        log.error("%s has a value of another type; rebuilding the lists", key)
        metrics.corrupt_records.inc()
        await self._redis.delete(key)
        async for name in self._redis.scan_iter(match=record_key(ClientKey("*", "*")), count=1000):
            if (client := client_of_record_key(name)) is not None:
                await self._relist(client)

    async def _relist(self, client: ClientKey) -> None:
        """List a client as its record says, if there is one."""
        try:
            record = parse_record(await self._redis.get(record_key(client)))
        except (CorruptRecord, ResponseError):
            await self.add(client, None)
        else:
            if record is not None:
                await self.add(client, record.expires_at)

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients whose ids come after `after`, in the order of their ids. Corrupt ones are left out."""
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
        """The record of a listed client; a client that is gone leaves the list."""
        if found is None:
            await self.remove(client)
        try:
            return unexpired(parse_record(_value(found)))
        except CorruptRecord:
            return None


def _client(tenant: str, member: bytes) -> ClientKey | None:
    """The client of a list entry, or None, counted, if there can be no such client."""
    try:
        return ClientKey(tenant, as_bytes(member).decode())
    except UnicodeDecodeError:
        metrics.corrupt_records.inc()
        return None


def _value(found: Any) -> Any:
    """A reply of a pipeline. Raises it if it is an error, and CorruptRecord for a value of another type."""
    if isinstance(found, ResponseError) and is_other_type(found):
        raise corrupt("record")
    if isinstance(found, Exception):
        raise found
    return found
