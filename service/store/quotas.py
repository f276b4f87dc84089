"""Quotas: what each tenant may store and use. Settings have the defaults, Redis what differs from them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service import metrics
from service.errors import Contended, Unavailable
from service.store.checksums import as_bytes, seal, unsealed
from service.store.connect import Client
from service.store.copies import Copies
from service.store.keys import QUOTAS_KEY, TENANTS_KEY
from service.store.recent import Recent
from service.store.records import Blob
from service.store.redis_client import reply
from service.store.tenant_scripts import CHANGE_QUOTA

TRIES = 10
"""Attempts to change a quota while other requests change it."""

Count = Annotated[int | None, Field(ge=0, le=2**53)]


class Quota(BaseModel):
    """What a tenant may store and use. None: no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clients: Count = Field(None, description="Clients.")
    examples: Count = Field(None, description="Examples of the current versions of all clients.")
    bytes: Count = Field(None, description="Bytes of the inputs that the kept versions need.")
    requests_per_s: float | None = Field(None, gt=0, le=1e6, description="Requests per second.")
    burst: Annotated[int | None, Field(ge=1, le=2**31)] = Field(
        None, description="Requests at once; by default those of one second."
    )
    device_s_per_min: float | None = Field(None, gt=0, le=1e6, description="Seconds of the device per minute.")

    @property
    def most_requests(self) -> float:
        """Requests at once."""
        return float(self.burst or max(1.0, self.requests_per_s or 1.0))

    @property
    def limits_storage(self) -> bool:
        """Whether anything that is stored is limited."""
        return not (self.clients is None and self.examples is None and self.bytes is None)

    @property
    def limits_rate(self) -> bool:
        """Whether requests must be counted before they are carried out."""
        return self.requests_per_s is not None or self.device_s_per_min is not None


UNLIMITED = Quota()


class QuotaBook:
    """The quotas in one Redis, at most two seconds old.

    Args:
        redis: The Redis.
        turn: Limits concurrent calls, and turns exceptions into errors of the service.
        copies: The replicas that must have a change.
        default: The quota of tenants without one of their own.
    """

    def __init__(
        self,
        redis: Client,
        turn: Callable[[], AbstractAsyncContextManager[None]],
        copies: Copies,
        default: Quota = UNLIMITED,
    ) -> None:
        self._redis, self._turn, self._copies, self._default = redis, turn, copies, default
        self._recent = Recent(self._read)

    async def of(self, tenant: str) -> Quota:
        """The quota of a tenant; the default one if it is unknown and the node of Redis that has it does not answer."""
        try:
            return await self._recent.get(tenant)
        except Unavailable:
            return self._default

    async def set(self, tenant: str, own: Mapping[str, Any]) -> Quota:
        """Set what differs from the defaults for a tenant; nothing returns to them. Raises ValidationError."""
        return await self.change(tenant, lambda _: own)

    async def change(self, tenant: str, edit: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Quota:
        """Change what differs from the defaults for a tenant.

        Args:
            tenant: The tenant.
            edit: Makes of what differs now what shall differ. It may raise.

        Raises:
            ValidationError: A value is invalid.
            Contended: Other requests kept changing it.
        """
        for _ in range(TRIES):
            before = await self._stored(tenant)
            own = edit(_parsed(before))
            quota = Quota.model_validate(self._default.model_dump() | dict(own))
            arguments = QUOTAS_KEY, TENANTS_KEY, tenant, before or b"", _sealed(own)
            async with self._turn():
                done = await self._copies.eval(CHANGE_QUOTA, 2, *arguments)
            if done:
                self._recent.forget(tenant)
                return quota
        raise Contended("Other requests kept changing this quota. Try again.")

    async def _stored(self, tenant: str) -> Blob:
        async with self._turn():
            found: Blob = await reply(self._redis.hget(QUOTAS_KEY, tenant))
        return found

    async def close(self) -> None:
        """Wait for the lookups that run."""
        await self._recent.settled()

    async def _read(self, tenant: str) -> Quota:
        own = _parsed(await self._stored(tenant))
        return self._default.model_copy(update=own) if own else self._default


class _Own(BaseModel):
    """What differs from the defaults, as it is stored."""

    fields: dict[str, float | int | None]


def _sealed(own: Mapping[str, Any]) -> bytes:
    """What differs from the defaults, to be stored; empty for nothing."""
    if not own:
        return b""
    chosen = Quota.model_construct(_fields_set=set(own), **own)
    return seal(_Own(fields=chosen.model_dump(include=set(own))))


def _parsed(text: Blob) -> dict[str, Any]:
    """What differs from the defaults; nothing if it is corrupt, which is counted."""
    if text is None:
        return {}
    try:
        own = _Own.model_validate_json(unsealed(as_bytes(text)) or b"").fields
        return Quota.model_validate(own).model_dump(include=set(own))
    except (ValidationError, ValueError, TypeError):
        metrics.corrupt_records.inc()
        return {}
