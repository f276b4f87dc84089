"""Supports and states in Redis.

The support set is the truth and is kept; the state is a cache, and expires. All keys of one client share a hash tag, so
that a Redis Cluster holds them in one slot and one transaction can write them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from redis.exceptions import ResponseError
from safetensors.numpy import load, save

from service.arrays import Arrays
from service.errors import UnknownClient
from service.store import redis_client
from service.store.records import ClientKey, Draft, Record, StateKey, next_record, unexpired
from service.store.redis_client import Blob


class VersionMoved(Exception):
    """Another adapt of the same client came first."""


# Every key in Redis.
def record_key(client: ClientKey) -> str:
    """A Record as JSON."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:record"


def support_key(client: ClientKey) -> str:
    """A safetensors file: `inputs` as the model takes them, `targets`."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:support"


def state_key(client: ClientKey) -> str:
    """The latest state: a line that says which, then a safetensors file."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:state"


def index_key(tenant: str) -> str:
    """A sorted set of the tenant's client ids, all of score 0, so in the order of their bytes."""
    return f"handful:{{{tenant}}}:clients"


EXPIRIES_KEY = "handful:expiries"
"""A sorted set of the keys of clients that asked to be forgotten, by the time, in seconds since 1970."""


# What is written of a client is written by one of these, if its record is still the one that was read: a transaction
# in one round trip, which a Cluster does like any other Redis. KEYS: those of the record, the support set, the state;
# and of the lists that the client belongs in, unless these are elsewhere.
IF_UNCHANGED = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end "
WRITE = IF_UNCHANGED + (
    "redis.call('MSET', KEYS[1], ARGV[2], KEYS[2], ARGV[3]) redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5]) "
    "for i = 4, #KEYS do redis.call('ZADD', KEYS[i], ARGV[2 * i - 2], ARGV[2 * i - 1]) end return 1"
)
KEEP_STATE = IF_UNCHANGED + "redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3]) return 1"
REMOVE = IF_UNCHANGED + "redis.call('DEL', unpack(KEYS)) return 1"


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


CALLS = 64
"""To Redis at a time, at most; a request more waits for one."""


class Store:
    """The clients in one Redis. Every method raises Unavailable when Redis is away, and UnknownClient as it says."""

    def __init__(self, url: str, *, timeout_s: float, state_ttl_s: int) -> None:
        """Raises ValueError when the URL names no Redis."""
        self._redis = redis_client.connect(url, timeout_s)
        self._get = redis_client.getter(self._redis)
        self._lists_elsewhere = redis_client.has_slots(self._redis)
        self._turn = redis_client.Turns(CALLS, timeout_s).turn
        self._state_ttl_s = state_ttl_s

    async def ping(self) -> None:
        """Return if Redis answers."""
        async with self._turn():
            await redis_client.ping(self._redis)

    async def close(self) -> None:
        """Give the connections back."""
        await redis_client.close(self._redis)

    async def record(self, client: ClientKey) -> Record:
        """What is known of a client. Raises UnknownClient."""
        async with self._turn():
            text = await self._get(record_key(client))
        return _known(client, _parse(text))

    async def support(self, client: ClientKey) -> tuple[Record, Arrays]:
        """A client's record and support set, of one version. Raises UnknownClient."""
        async with self._turn():
            record, support = await self._redis.mget(record_key(client), support_key(client))
        return _known(client, _parse(record if support else None)), load(_bytes(support))

    async def state(self, key: StateKey, record: Record) -> Arrays | None:
        """A state, if it is still there; its expiry begins anew."""
        async with self._turn():
            found = await self._renewed(state_key(key.client), self._seconds(record))
        tag, _, blob = _bytes(found).partition(b"\n") if found else (b"", b"", b"")
        return load(blob) if tag == key.name.encode() else None

    async def _renewed(self, key: str, seconds: int) -> Blob:
        try:
            return await self._redis.getex(key, ex=seconds)
        except ResponseError:  # nothing may be written now: its disk is full, or a replica is missing
            return await self._redis.get(key)

    async def save_state(self, key: StateKey, record: Record, state: Arrays) -> None:
        """Keep a state that was made again, unless the client has moved on or is gone."""
        async with self._turn():
            text = await self._redis.get(record_key(key.client))
            current = _parse(text)
            if current is not None and current.write == record.write:
                await self._if_unchanged(KEEP_STATE, key.client, text, _tagged(key, state), self._seconds(record))

    async def _if_unchanged(
        self, script: str, client: ClientKey, text: Blob, *arguments: bytes | str | int, lists: Sequence[Listing] = ()
    ) -> bool:
        """Run one of the scripts if `text` is still the client's record; whether it was."""
        keys = (record_key(client), support_key(client), state_key(client), *(each.key for each in lists))
        places = [value for each in lists for value in (each.score, each.member)]
        done = await self._redis.eval(script, len(keys), *keys, text or "", *arguments, *places)
        return bool(done)

    def _seconds(self, record: Record) -> int:
        return record.seconds_left(self._state_ttl_s)

    async def commit(self, client: ClientKey, draft: Draft, *, after: Record | None = None) -> Record:
        """Write the client's next version in one transaction: a reader sees the old one or the new one.

        With `after`, the version must follow that one; else VersionMoved is raised and nothing is written.
        """
        async with self._turn():
            if self._lists_elsewhere:
                return await self._commit_and_list(client, draft, after)
            return await self._commit(client, draft, after)

    async def _commit_and_list(self, client: ClientKey, draft: Draft, after: Record | None) -> Record:
        await self._list(client, draft.expires_at)  # first: where there is no room for it, there is for nothing
        record = await self._commit(client, draft, after)
        if not await self._is_listed(client, record.expires_at):  # a list or a sweep has come between
            await self._list(client, record.expires_at)
        return record

    async def _commit(self, client: ClientKey, draft: Draft, after: Record | None) -> Record:
        while (record := await self._try_commit(client, draft, after)) is None:
            pass  # another adapt was written meanwhile, so somebody gets on
        return record

    async def _try_commit(self, client: ClientKey, draft: Draft, after: Record | None) -> Record | None:
        text = await self._get(record_key(client))
        found = _parse(text)
        old = unexpired(found)
        if old is not None and draft.write in (old.write, old.replaces):
            return old  # written by a try whose answer was lost, and perhaps followed by another since
        if after is not None and (old is None or old.write != after.write):
            raise VersionMoved
        record = next_record(client, draft, found)
        state = _tagged(StateKey(client, draft.write, draft.checkpoint), draft.state)
        values = record.model_dump_json(), save(draft.support), state, self._seconds(record)
        lists = [] if self._lists_elsewhere else listings(client, draft.expires_at)
        return record if await self._if_unchanged(WRITE, client, text, *values, lists=lists) else None

    async def _list(self, client: ClientKey, expires_at: datetime | None) -> None:
        for key, score, member in listings(client, expires_at):
            await self._redis.zadd(key, {member: score})

    async def _is_listed(self, client: ClientKey, expires_at: datetime | None) -> bool:
        places = listings(client, expires_at)
        return [await self._redis.zscore(key, member) for key, _, member in places] == [each.score for each in places]

    async def forget(self, client: ClientKey) -> Record:
        """Remove a client: its record, which is returned, its support set, its state. Raises UnknownClient."""
        async with self._turn():
            record = await self._redis.get(record_key(client))
            await self._redis.zrem(EXPIRIES_KEY, ":".join(client))
            await self._redis.delete(record_key(client), support_key(client), state_key(client))
            await self._unlist(client)
        return _known(client, _parse(record))

    async def sweep(self) -> None:
        """Remove the clients whose time has come; until then they only look gone.

        Their keys carry no expiry of Redis's, for those are what it evicts when its memory is full.
        """
        now = datetime.now(UTC).timestamp()
        async with self._turn():
            due = await self._redis.zrangebyscore(EXPIRIES_KEY, 0, now)
            settled = [await self._settle_expiry(_bytes(member)) for member in due]  # type: ignore[arg-type]
            if all(settled):
                await self._redis.zremrangebyscore(EXPIRIES_KEY, 0, now)  # and none that was renewed meanwhile

    async def _settle_expiry(self, member: bytes) -> bool:
        """Remove a client that is due, or note when it will be; False when it was written meanwhile."""
        tenant, client_id = member.decode().split(":", 1)
        client = ClientKey(tenant, client_id)
        text = await self._redis.get(record_key(client))
        record = _parse(text)
        if record is not None and not record.expired():
            await self._list(client, record.expires_at)
        elif not await self._if_unchanged(REMOVE, client, text):
            return False
        await self._unlist(client)
        return True

    async def count(self, tenant: str) -> int:
        """How many clients a tenant has, and those that have just expired."""
        async with self._turn():
            return int(await self._redis.zcard(index_key(tenant)))

    async def clients(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients whose ids come after `after`, in the order of their ids."""
        found: list[Record] = []
        async with self._turn():
            while len(found) < limit:
                start, wanted = f"({after}" if after else "-", limit - len(found)
                ids = await self._redis.zrangebylex(index_key(tenant), start, "+", start=0, num=wanted)
                if not ids:
                    break
                keys = [ClientKey(tenant, each.decode()) for each in ids if isinstance(each, bytes)]
                records = await self._read_all(keys)
                found += [record for record in records if record is not None]
                after = keys[-1].client_id
        return found

    async def _read_all(self, keys: list[ClientKey]) -> list[Record | None]:
        """The records of listed clients; one that has gone leaves the list."""
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.get(record_key(key))
        found = await pipe.execute()
        for key, text in zip(keys, found, strict=True):
            if text is None:
                await self._unlist(key)
        records = [_parse(text) for text in found]
        return [unexpired(record) for record in records]

    async def _unlist(self, client: ClientKey) -> None:
        """Take a client off the list, unless it came back meanwhile: commit writes first and lists then."""
        await self._redis.zrem(index_key(client.tenant), client.client_id)
        if await self._redis.exists(record_key(client)):
            await self._redis.zadd(index_key(client.tenant), {client.client_id: 0})


def _parse(text: Blob) -> Record | None:
    return None if text is None else Record.model_validate_json(text)


def _known(client: ClientKey, record: Record | None) -> Record:
    if (known := unexpired(record)) is None:
        raise UnknownClient(f"No client {client.client_id!r} has been adapted: POST its support set to /adapt.")
    return known


def _bytes(blob: Blob) -> bytes:
    assert isinstance(blob, bytes), "the connection does not decode. This is a bug."
    return blob


def _tagged(key: StateKey, state: Arrays) -> bytes:
    return key.name.encode() + b"\n" + save(state)
