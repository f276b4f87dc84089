"""Quotas: what each tenant may store and use. Settings have the defaults, Redis what differs from them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service import metrics
from service.errors import Unavailable
from service.store.checksums import as_bytes, seal, unsealed
from service.store.connect import Client
from service.store.keys import QUOTAS_KEY, TENANTS_KEY
from service.store.recent import Recent
from service.store.records import Blob
from service.store.redis_client import reply

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
        default: The quota of tenants without one of their own.
    """

    def __init__(
        self, redis: Client, turn: Callable[[], AbstractAsyncContextManager[None]], default: Quota = UNLIMITED
    ) -> None:
        self._redis, self._turn, self._default = redis, turn, default
        self._recent = Recent(self._read)

    async def of(self, tenant: str) -> Quota:
        """The quota of a tenant; the default one if it is unknown and the node of Redis that has it does not answer."""
        try:
            return await self._recent.get(tenant)
        except Unavailable:
            return self._default

    async def own(self, tenant: str) -> dict[str, Any]:
        """What differs from the defaults for a tenant."""
        async with self._turn():
            return _parsed(await reply(self._redis.hget(QUOTAS_KEY, tenant)))

    async def set(self, tenant: str, own: Mapping[str, Any]) -> Quota:
        """Set what differs from the defaults for a tenant; nothing returns to them. Raises ValidationError."""
        quota = Quota.model_validate(self._default.model_dump() | dict(own))
        async with self._turn():
            if own:
                chosen = Quota.model_construct(_fields_set=set(own), **own)
                await reply(
                    self._redis.hset(QUOTAS_KEY, tenant, seal(_Own(fields=chosen.model_dump(include=set(own)))))
                )
                await reply(self._redis.sadd(TENANTS_KEY, tenant))
            else:
                await reply(self._redis.hdel(QUOTAS_KEY, tenant))
        self._recent.forget(tenant)
        return quota

    async def close(self) -> None:
        """Wait for the lookups that run."""
        await self._recent.settled()

    async def _read(self, tenant: str) -> Quota:
        own = await self.own(tenant)
        return self._default.model_copy(update=own) if own else self._default


class _Own(BaseModel):
    """What differs from the defaults, as it is stored."""

    fields: dict[str, float | int | None]


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
