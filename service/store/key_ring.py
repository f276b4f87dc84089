"""API keys in Redis: the hash of each key, and the mark that the service asks for keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from service import metrics
from service.store.checksums import as_bytes, seal, unsealed
from service.store.connect import Client
from service.store.copies import Copies
from service.store.keys import KEYS_KEY, KEYS_USED_KEY, TENANTS_KEY
from service.store.records import Blob
from service.store.redis_client import reply
from service.store.tenant_scripts import CHANGE_KEYS

Scope = Literal["read", "predict", "adapt", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "predict", "adapt", "admin")

MARK = ""
"""The field of the hash that says that keys are asked for. Every change of a key sets it, and nothing removes it."""


class ApiKey(BaseModel):
    """What is stored of a key. The key itself is stored nowhere."""

    id: str = Field(description="Names the key. It is a part of the key, and no secret.")
    tenant: str
    sha256: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    replaces: str | None = Field(None, description="The key that this one was rotated from.")
    replaced_by: str | None = Field(None, description="The key that this one was rotated to.")

    def expired(self) -> bool:
        """Whether the key has expired."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class Found(NamedTuple):
    """An answer of Redis: whether keys are asked for, and the key; None if there is none of this id."""

    guarded: bool
    key: ApiKey | None


class KeyRing:
    """The keys in one Redis. Every method raises Unavailable if Redis fails.

    Args:
        redis: The Redis.
        turn: Limits concurrent calls, and turns exceptions into errors of the service.
        copies: The replicas that must have a change of keys.
    """

    def __init__(self, redis: Client, turn: Callable[[], AbstractAsyncContextManager[None]], copies: Copies) -> None:
        self._redis, self._turn, self._copies = redis, turn, copies

    async def find(self, key_id: str) -> Found:
        """A key by its id. An empty id is that of no key."""
        async with self._turn():
            mark, text = await reply(self._redis.hmget(KEYS_KEY, [MARK, key_id or MARK]))
        return Found(mark is not None, _parsed(text) if key_id else None)

    async def all(self) -> list[ApiKey]:
        """All keys, the oldest first."""
        async with self._turn():
            texts = await reply(self._redis.hgetall(KEYS_KEY))
        keys = [_parsed(text) for field, text in texts.items() if as_bytes(field).decode() != MARK]
        return sorted((key for key in keys if key is not None), key=lambda key: (key.created_at, key.id))

    async def change(self, before: Sequence[ApiKey], after: Sequence[ApiKey]) -> bool:
        """Replace keys in one step, if they are still as they were. Returns whether they were.

        Args:
            before: Keys as they were read.
            after: Keys to write. Those of `before` that are not among them are removed.
        """
        old, new = ({key.id: seal(key) for key in keys} for keys in (before, after))
        changes = [part for name in {*old, *new} for part in (name, old.get(name, b""), new.get(name, b""))]
        tenants = {key.tenant for key in after}
        async with self._turn():
            arguments = len(changes), *changes, *tenants
            return bool(await self._copies.eval(CHANGE_KEYS, 3, KEYS_KEY, KEYS_USED_KEY, TENANTS_KEY, *arguments))

    async def tenants(self) -> list[str]:
        """All tenants that have or had a key here, sorted."""
        async with self._turn():
            members = await reply(self._redis.smembers(TENANTS_KEY))
        return sorted(as_bytes(member).decode() for member in members)

    async def drop_tenant(self, tenant: str) -> None:
        """Forget the name of a tenant."""
        async with self._turn():
            await reply(self._redis.srem(TENANTS_KEY, tenant))

    async def note_use(self, key_id: str, at: datetime) -> None:
        """Store the time of a key's last use."""
        async with self._turn():
            await reply(self._redis.hset(KEYS_USED_KEY, key_id, str(int(at.timestamp()))))

    async def last_uses(self) -> Mapping[str, datetime]:
        """The time of the last use by key id, as precise as `note_use` was called."""
        async with self._turn():
            found = await reply(self._redis.hgetall(KEYS_USED_KEY))
        return {as_bytes(name).decode(): datetime.fromtimestamp(int(at), UTC) for name, at in found.items()}


def _parsed(text: Blob) -> ApiKey | None:
    """A key; None if there is none, or if it is corrupt, which is counted. Nobody can use a corrupt key."""
    if text is None:
        return None
    try:
        return ApiKey.model_validate_json(unsealed(as_bytes(text)) or b"")
    except (ValidationError, ValueError, TypeError):
        metrics.corrupt_records.inc()
        return None
