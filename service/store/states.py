"""The states of clients in Redis: a cache, which expires."""

from contextlib import suppress

from redis.exceptions import ResponseError

from service.arrays import Arrays
from service.errors import CorruptRecord, NotFound, VersionGone
from service.store.checksums import parse_record, tag_state
from service.store.connect import Client
from service.store.keys import past_state_key, record_key, state_key
from service.store.reading import Reader
from service.store.records import Blob, ClientKey, Record, StateKey
from service.store.redis_client import is_other_type
from service.store.scripts import KEEP_STATE


class States:
    """A client has the state of its current version, and that of one past version. Unused, each is kept `ttl_s`."""

    def __init__(self, redis: Client, reader: Reader, ttl_s: int) -> None:
        self._redis, self._reader, self._ttl_s = redis, reader, ttl_s

    async def renewed(self, client: ClientKey, record: Record, *, past: bool) -> Blob:
        """A stored state, of the current or of a `past` version, with a renewed expiry."""
        key = past_state_key(client) if past else state_key(client)
        try:
            return await self._redis.getex(key, ex=record.seconds_left(self._ttl_s))
        except ResponseError as error:
            if is_other_type(error):
                return None
            return await self._redis.get(key)  # Redis refuses writes: its disk is full or a replica is missing

    async def save(self, key: StateKey, record: Record, state: Arrays) -> None:
        """Store a rebuilt state, unless its version is gone."""
        client = key.client
        text = await self._redis.get(record_key(client))
        current = parse_record(text)
        if current is None or not await self._still_there(client, current, record):
            return
        name = state_key(client) if current.write == record.write else past_state_key(client)
        arguments = text or b"", tag_state(key, state), current.seconds_left(self._ttl_s)
        await self._redis.eval(KEEP_STATE, 2, record_key(client), name, *arguments)

    async def _still_there(self, client: ClientKey, current: Record, record: Record) -> bool:
        if current.version <= record.version:
            return current.write == record.write
        with suppress(NotFound, VersionGone, CorruptRecord):
            return (await self._reader.snapshot(client, record.version)).write == record.write
        return False
