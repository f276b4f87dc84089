"""Supports and states in Redis.

The support set is the truth and is kept; the state is a cache, and expires. All keys of one client share a hash tag, so
that a Redis Cluster holds them in one slot and one transaction can write them.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError, WatchError
from safetensors.numpy import load, save

from service.arrays import Arrays
from service.errors import Unavailable, UnknownClient
from service.gathered import Gathered
from service.records import ClientKey, Draft, Record, StateKey, next_record


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


log = logging.getLogger(__name__)

CONNECTIONS = 64
"""To Redis, at most; a request more waits for one."""


class Store:
    """The clients in one Redis. Every method raises Unavailable when Redis is away, and UnknownClient as it says."""

    def __init__(self, url: str, *, timeout_s: float, state_ttl_s: int) -> None:
        retry = Retry(NoBackoff(), 1)  # a pooled connection may have died with a Redis that is back by now
        waits = {"timeout": timeout_s, "socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        pool = redis.BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, retry=retry, **waits)
        self._redis = redis.Redis.from_pool(pool)
        self._records = Gathered(self._read_records)
        self._state_ttl_s = state_ttl_s

    async def ping(self) -> None:
        """Return if Redis answers."""
        async with _reporting():
            await self._redis.ping()

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def record(self, client: ClientKey) -> Record:
        """What is known of a client. Raises UnknownClient."""
        return _parse(client, await self._records.get(client))

    async def _read_records(self, clients: list[ClientKey]) -> list[bytes | str | None]:
        async with _reporting():
            return await self._redis.mget([record_key(client) for client in clients])

    async def support(self, client: ClientKey) -> tuple[Record, Arrays]:
        """A client's record and support set, of one version. Raises UnknownClient."""
        async with _reporting():
            record, support = await self._redis.mget(record_key(client), support_key(client))
        return _parse(client, record if support else None), load(_bytes(support))

    async def state(self, key: StateKey, record: Record) -> Arrays | None:
        """A state, if it is still there; its expiry begins anew."""
        async with _reporting():
            found = await self._redis.getex(state_key(key.client), ex=record.seconds_left(self._state_ttl_s))
        tag, _, blob = _bytes(found).partition(b"\n") if found else (b"", b"", b"")
        return load(blob) if tag == key.name.encode() else None

    async def save_state(self, key: StateKey, record: Record, state: Arrays) -> None:
        """Keep a state that was made again, unless the client has moved on or is gone."""
        async with _reporting():
            with suppress(WatchError):
                await self._try_save_state(key, record, state)

    async def _try_save_state(self, key: StateKey, record: Record, state: Arrays) -> None:
        async with self._redis.pipeline() as pipe:
            await pipe.watch(record_key(key.client))
            current = await pipe.get(record_key(key.client))
            if current is None or Record.model_validate_json(current).write != record.write:
                return
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(state_key(key.client), _tagged(key, state), ex=record.seconds_left(self._state_ttl_s))
            await pipe.execute()

    async def commit(self, client: ClientKey, draft: Draft, *, after: Record | None = None) -> Record:
        """Write the client's next version in one transaction: a reader sees the old one or the new one.

        With `after`, the version must follow that one; else VersionMoved is raised and nothing is written.
        """
        async with _reporting():
            await self._note_expiry(client, draft.expires_at)
            while True:
                try:
                    record = await self._try_commit(client, draft, after)
                except WatchError:
                    continue  # another adapt was written meanwhile, so somebody gets on
                await self._redis.zadd(index_key(client.tenant), {client.client_id: 0})
                await self._note_expiry(client, record.expires_at)  # again: a sweep may have come between
                return record

    async def _note_expiry(self, client: ClientKey, expires_at: datetime | None) -> None:
        if expires_at is not None:
            await self._redis.zadd(EXPIRIES_KEY, {":".join(client): expires_at.timestamp()})

    async def _try_commit(self, client: ClientKey, draft: Draft, after: Record | None) -> Record:
        async with self._redis.pipeline() as pipe:
            await pipe.watch(record_key(client))
            current = await pipe.get(record_key(client))
            old = None if current is None else Record.model_validate_json(current)
            old = None if old is not None and old.expired() else old
            if old is not None and old.write == draft.write:
                return old  # written by a try whose answer was lost
            if after is not None and (old is None or old.write != after.write):
                raise VersionMoved
            record = next_record(client, draft, old)
            key = StateKey(client, draft.write, draft.checkpoint)
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.set(record_key(client), record.model_dump_json())
            pipe.set(support_key(client), save(draft.support))
            pipe.set(state_key(client), _tagged(key, draft.state), ex=record.seconds_left(self._state_ttl_s))
            await pipe.execute()
            return record

    async def forget(self, client: ClientKey) -> Record:
        """Remove a client: its record, which is returned, its support set, its state. Raises UnknownClient."""
        async with _reporting():
            record = await self._redis.get(record_key(client))
            await self._redis.zrem(EXPIRIES_KEY, ":".join(client))
            await self._redis.delete(record_key(client), support_key(client), state_key(client))
            await self._unlist(client)
        return _parse(client, record)

    async def sweep(self) -> None:
        """Remove the clients whose time has come; until then they only look gone.

        Their keys carry no expiry of Redis's, for those are what it evicts when its memory is full.
        """
        now = datetime.now(UTC).timestamp()
        async with _reporting():
            due = await self._redis.zrangebyscore(EXPIRIES_KEY, 0, now)
            settled = [await self._settle_expiry(_bytes(member)) for member in due]  # type: ignore[arg-type]
            if all(settled):
                await self._redis.zremrangebyscore(EXPIRIES_KEY, 0, now)  # and none that was renewed meanwhile

    async def _settle_expiry(self, member: bytes) -> bool:
        """Remove a client that is due, or note when it will be; False when it was written meanwhile."""
        tenant, client_id = member.decode().split(":", 1)
        client = ClientKey(tenant, client_id)
        with suppress(WatchError):
            async with self._redis.pipeline() as pipe:
                await pipe.watch(record_key(client))
                current = await pipe.get(record_key(client))
                record = None if current is None else Record.model_validate_json(current)
                pipe.multi()  # type: ignore[no-untyped-call]
                if record is None or record.expired():
                    pipe.delete(record_key(client), support_key(client), state_key(client))
                await pipe.execute()
            if record is not None and not record.expired():
                await self._note_expiry(client, record.expires_at)
            await self._unlist(client)
            return True
        return False

    async def clients(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients whose ids come after `after`, in the order of their ids."""
        found: list[Record] = []
        async with _reporting():
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
        records = [None if text is None else Record.model_validate_json(text) for text in found]
        return [None if record is None or record.expired() else record for record in records]

    async def _unlist(self, client: ClientKey) -> None:
        """Take a client off the list, unless it came back meanwhile: commit writes first and lists then."""
        await self._redis.zrem(index_key(client.tenant), client.client_id)
        if await self._redis.exists(record_key(client)):
            await self._redis.zadd(index_key(client.tenant), {client.client_id: 0})


def _parse(client: ClientKey, text: bytes | str | None) -> Record:
    record = None if text is None else Record.model_validate_json(text)
    if record is None or record.expired():
        raise _unknown(client)
    return record


def _unknown(client: ClientKey) -> UnknownClient:
    return UnknownClient(f"No client {client.client_id!r} has been adapted: POST its support set to /adapt.")


def _bytes(blob: bytes | str | None) -> bytes:
    assert isinstance(blob, bytes), "the connection does not decode. This is a bug."
    return blob


def _tagged(key: StateKey, state: Arrays) -> bytes:
    return key.name.encode() + b"\n" + save(state)


@asynccontextmanager
async def _reporting() -> AsyncIterator[None]:
    """Redis's own failures as the service's."""
    try:
        yield
    except WatchError:
        raise
    except OutOfMemoryError as error:
        log.error("Redis is full: %s", error)
        raise Unavailable("The store is full: nothing was changed. Forget clients, or give it more memory.") from error
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("Redis failed: %s: %s", type(error).__name__, error)
        raise Unavailable(f"The store does not answer ({type(error).__name__}): try again.") from error
