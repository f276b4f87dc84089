"""Removes expired clients. Between its expiry and the sweep, a client is treated as unknown.

The keys have no expiry in Redis, because a full Redis evicts keys with an expiry.
"""

from datetime import UTC, datetime

from redis.exceptions import RedisError, ResponseError

from service import metrics
from service.errors import CorruptRecord
from service.store.checksums import as_bytes, corrupt, parse_record
from service.store.connect import Client
from service.store.keys import EXPIRIES_KEY, client_keys, record_key
from service.store.listing import Lists, every_listing
from service.store.records import Blob, ClientKey
from service.store.redis_client import is_other_type
from service.store.scripts import REMOVE, UNLIST_DUE
from service.store.tenant_scripts import UNCOUNT
from service.store.usage import usage_keys


class Sweep:
    """Sweeps one Redis. Raises the errors of redis-py."""

    def __init__(self, redis: Client, lists: Lists) -> None:
        self._redis, self._lists = redis, lists

    async def run(self) -> None:
        """Remove expired clients. Corrupt ones are counted and stay until they are adapted or deleted. If the node of
        some is away, the others are removed, and then its error is raised."""
        now, failed = datetime.now(UTC).timestamp(), list[Exception]()
        for member in await self._lists.due(now):
            if (client := _client(member)) is None:
                await self._redis.zrem(EXPIRIES_KEY, member)
                continue
            try:
                await self._settle(client, now)
            except (RedisError, OSError) as error:
                failed.append(error)
        if failed:
            raise failed[0]

    async def _settle(self, client: ClientKey, now: float) -> None:
        try:
            text = await self._text(client)
            record = parse_record(text)
        except CorruptRecord:
            return
        if record is not None and not record.expired():
            await self._lists.add(client, record.expires_at)
        elif not await self._remove(client, text):
            return  # it was written in the meantime
        await self._redis.eval(UNLIST_DUE, 1, EXPIRIES_KEY, ":".join(client), now)

    async def _text(self, client: ClientKey) -> Blob:
        try:
            text: Blob = await self._redis.get(record_key(client))
        except ResponseError as error:
            if is_other_type(error):
                raise corrupt("record") from None
            raise
        return text

    async def _remove(self, client: ClientKey, text: Blob) -> bool:
        """Remove a client if its record is still `text`. Returns whether it was removed."""
        lists = [] if self._lists.elsewhere else every_listing(client)
        counts = [] if self._lists.elsewhere else usage_keys(client.tenant)
        keys = [*client_keys(client), *(each.key for each in lists), *counts]
        done = await self._redis.eval(REMOVE, len(keys), *keys, text or "", *(each.member for each in lists))
        if done and self._lists.elsewhere:
            await self._lists.remove(client)
            await self._redis.eval(UNCOUNT, 2, *usage_keys(client.tenant), client.client_id)
        return bool(done)


def _client(member: bytes) -> ClientKey | None:
    """The client of a list entry; None for an invalid entry, which is counted."""
    tenant, colon, client_id = as_bytes(member).decode(errors="replace").partition(":")
    if colon and tenant and client_id and "\ufffd" not in client_id + tenant:
        return ClientKey(tenant, client_id)
    metrics.corrupt_records.inc()
    return None
