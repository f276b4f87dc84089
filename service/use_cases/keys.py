"""The use cases of API keys: create, list, rotate and revoke."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.errors import Conflict, Contended, UnknownKey, Unprocessable
from service.store.key_ring import SCOPES, ApiKey, Scope
from service.store.store import Store

KEY_FORM = r"hk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}"
"""A key: a prefix that scanners for leaked secrets can look for, its id, and 256 random bits."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
TENANT = r"[A-Za-z0-9_-]{1,64}"
DEFAULT_SCOPES: tuple[Scope, ...] = ("read", "predict", "adapt")
KEPT = timedelta(days=7)
"""How long a key is kept after its expiry, so that its holder learns that it has expired."""
TRIES = 5


class NewKey(NamedTuple):
    """A key that was just made. `secret` is the key itself, which is stored nowhere."""

    key: ApiKey
    secret: str


class Listed(NamedTuple):
    """A key and its last use; None if it was never used."""

    key: ApiKey
    last_used_at: datetime | None


class Keys:
    """The keys of all tenants."""

    def __init__(self, store: Store) -> None:
        self._ring, self._usage = store.keys, store.usage

    async def create(
        self, tenant: str, scopes: Sequence[Scope] = DEFAULT_SCOPES, expires_s: int | None = None
    ) -> NewKey:
        """Make a key. From now on, every request to the service needs a key.

        Args:
            tenant: The tenant that the key belongs to.
            scopes: What the key may do.
            expires_s: Seconds after which it expires; None: never.

        Raises:
            Unprocessable: A name, a scope or the time is invalid.
        """
        _check(tenant, scopes, expires_s)
        new = _new(tenant, scopes, expires_s)
        if not await self._ring.change([], [new.key]):
            raise Contended("Another key of the same id was made. Try again.")
        await self._usage.reopen(tenant)
        return new

    async def list(self, tenant: str | None = None) -> list[Listed]:
        """The keys of a tenant, or of all, the oldest first."""
        uses = await self._ring.last_uses()
        keys = [key for key in await self._ring.all() if tenant in (None, key.tenant)]
        return [Listed(key, uses.get(key.id)) for key in keys]

    async def rotate(self, key_id: str, *, overlap_s: int | None = None) -> NewKey:
        """Make a key that replaces another one. Both are valid until the old one expires, is revoked, or the new one is
        rotated: at most two keys of a line are valid.

        Args:
            key_id: The key to replace.
            overlap_s: Seconds after which the old key expires; None: as before.

        Raises:
            UnknownKey: There is no such key.
            Conflict: The key was rotated before.
        """
        for _ in range(TRIES):
            old = await self._known(key_id)
            if old.replaced_by is not None:
                raise Conflict(f"The key {old.id} was rotated to {old.replaced_by}. Rotate that one.")
            new = _new(old.tenant, old.scopes, _life_s(old))
            key = new.key.model_copy(update={"replaces": old.id})
            ended = old.model_copy(update={"replaced_by": key.id, "expires_at": _sooner(old, overlap_s)})
            first = (await self._ring.find(old.replaces)).key if old.replaces else None
            if await self._ring.change([old] if first is None else [first, old], [ended, key]):
                return NewKey(key, new.secret)
        raise Contended("Other requests kept changing this key. Try again.")

    async def revoke(self, key_id: str) -> ApiKey:
        """Remove a key. It is refused after at most two seconds. Raises UnknownKey."""
        for _ in range(TRIES):
            key = await self._known(key_id)
            before = (await self._ring.find(key.replaces)).key if key.replaces else None
            freed = [] if before is None else [before.model_copy(update={"replaced_by": None})]
            if await self._ring.change([key] if before is None else [key, before], freed):
                return key
        raise Contended("Other requests kept changing this key. Try again.")

    async def prune(self) -> None:
        """Remove the keys that expired more than `KEPT` ago."""
        for key in await self._ring.all():
            if key.expires_at is not None and key.expires_at + KEPT <= datetime.now(UTC):
                with suppress(UnknownKey, Contended):
                    await self.revoke(key.id)

    async def revoke_all(self, tenant: str) -> int:
        """Remove all keys of a tenant. Returns how many there were."""
        keys = [listed.key for listed in await self.list(tenant)]
        for key in keys:
            with suppress(UnknownKey):
                await self.revoke(key.id)
        return len(keys)

    async def _known(self, key_id: str) -> ApiKey:
        found = (await self._ring.find(key_id)).key if key_id else None
        if found is None:
            raise UnknownKey("There is no key of this id. handful keys list shows the ids of all keys.")
        return found


def _check(tenant: str, scopes: Sequence[Scope], expires_s: int | None) -> None:
    if not re.fullmatch(TENANT, tenant):
        raise Unprocessable("tenant: takes 1 to 64 letters, digits, _ and -.", field="tenant")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Unprocessable(f"scopes: takes one or more of {', '.join(SCOPES)}.", field="scopes")
    if expires_s is not None and expires_s < 1:
        raise Unprocessable("expires_s: takes at least 1 second.", field="expires_s")


def _new(tenant: str, scopes: Sequence[Scope], expires_s: int | None) -> NewKey:
    key_id = "".join(secrets.choice(LETTERS) for _ in range(12))
    secret = f"hk_{key_id}_{secrets.token_urlsafe(32)}"
    now = datetime.now(UTC)
    key = ApiKey(
        id=key_id,
        tenant=tenant,
        sha256=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=now,
        expires_at=None if expires_s is None else now + timedelta(seconds=expires_s),
    )
    return NewKey(key, secret)


def _life_s(key: ApiKey) -> int | None:
    """The life that a key was made with, in seconds."""
    return None if key.expires_at is None else int((key.expires_at - key.created_at).total_seconds())


def _sooner(key: ApiKey, overlap_s: int | None) -> datetime | None:
    """When a key that was rotated expires."""
    if overlap_s is None:
        return key.expires_at
    end = datetime.now(UTC) + timedelta(seconds=overlap_s)
    return end if key.expires_at is None else min(end, key.expires_at)
