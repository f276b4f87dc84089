"""What each tenant uses over time: requests and seconds of the device. Token buckets limit both; days sum them up."""

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from service.store.checksums import as_bytes
from service.store.connect import Client
from service.store.keys import days_key, rate_key, usage_key
from service.store.quotas import Quota
from service.store.redis_client import reply
from service.store.tenant_scripts import SPEND, TAKE

MINUTE_S = 60.0
DAYS = 62
"""Days whose sums are kept."""


class Bucket(NamedTuple):
    """A token bucket: its size, the seconds that it takes to fill, the tokens left, and those of a request."""

    name: str
    size: float
    fill_s: float
    left: float
    needs: float

    @property
    def wait_s(self) -> float:
        """Seconds until a request is allowed; 0: now."""
        return max(0.0, self.needs - self.left) * self.fill_s / self.size

    @property
    def full_s(self) -> float:
        """Seconds until the bucket is full."""
        return (self.size - self.left) * self.fill_s / self.size


class Taken(NamedTuple):
    """Whether a request is allowed, and the buckets that limit its tenant."""

    allowed: bool
    buckets: tuple[Bucket, ...]


class Day(NamedTuple):
    """What a tenant used on a day, in UTC."""

    day: str
    requests: int
    device_s: float


class Rates:
    """The rates in one Redis. Every method raises Unavailable if Redis fails."""

    def __init__(self, redis: Client, turn: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._redis, self._turn = redis, turn

    async def take(self, tenant: str, quota: Quota) -> Taken:
        """Count a request of a tenant with a limited rate, if it is allowed."""
        requests = (quota.requests_per_s, quota.most_requests) if quota.requests_per_s else ("", "")
        arguments = *requests, *_device(quota)
        async with self._turn():
            allowed, tokens, device = await reply(self._redis.eval(TAKE, 1, rate_key(tenant), *arguments))
        buckets = []
        if quota.requests_per_s is not None:
            size = quota.most_requests
            buckets.append(Bucket("requests", size, size / quota.requests_per_s, float(tokens), 1.0))
        if quota.device_s_per_min is not None:
            buckets.append(Bucket("device-seconds", quota.device_s_per_min, MINUTE_S, float(device), 1e-3))
        return Taken(bool(allowed), tuple(buckets))

    async def spend(self, tenant: str, quota: Quota, requests: int, device_s: float) -> None:
        """Add what a tenant has used. Its bucket of the device may become negative."""
        today = datetime.now(UTC).date()
        oldest = today - timedelta(days=DAYS)
        arguments = today.isoformat(), requests, f"{device_s:.6f}", *_device(quota), oldest.isoformat()
        keys = rate_key(tenant), days_key(tenant), usage_key(tenant)
        async with self._turn():
            await reply(self._redis.eval(SPEND, len(keys), *keys, *arguments))

    async def days(self, tenant: str, since: date) -> list[Day]:
        """What a tenant used on each day since a day."""
        async with self._turn():
            found = await reply(self._redis.hgetall(days_key(tenant)))
        sums = {as_bytes(field).decode(): float(value) for field, value in found.items()}
        days = sorted({field.partition(" ")[0] for field in sums if field >= since.isoformat()})
        return [Day(day, int(sums.get(f"{day} requests", 0)), sums.get(f"{day} device_s", 0.0)) for day in days]


def waits_s(taken: Taken) -> int:
    """Whole seconds until a refused request would be allowed."""
    return max(1, math.ceil(max((bucket.wait_s for bucket in taken.buckets), default=0)))


def _device(quota: Quota) -> tuple[Any, Any]:
    """The seconds of the device per second and at once."""
    per_min = quota.device_s_per_min
    return ("", "") if per_min is None else (per_min / MINUTE_S, per_min)
