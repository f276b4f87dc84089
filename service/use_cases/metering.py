"""Limits the requests of each tenant, and counts what each uses of the service."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from service import metrics
from service.engine.base import Engine
from service.errors import HandfulError, RateExceeded, StoreFull
from service.store.quotas import QuotaBook
from service.store.rates import Rates, Taken, waits_s

REPORT_S = 1.0
"""Seconds between two writes of what was used. A request waits for none of them."""
FREE = Taken(True, ())


class _Used(NamedTuple):
    requests: int
    device_s: float


class Metering:
    """The meter of one API process.

    Args:
        quotas: What each tenant may use.
        rates: Where the use is counted.
        engine: Tells the seconds of the device.
        named: Whether metrics name tenants.
    """

    def __init__(self, quotas: QuotaBook, rates: Rates, engine: Engine, *, named: bool = False) -> None:
        self._quotas, self._rates, self._engine, self._named = quotas, rates, engine, named
        self._requests: Counter[str] = Counter()
        self._device_s: defaultdict[str, float] = defaultdict(float)

    async def admit(self, tenant: str) -> Taken:
        """Count a request, if the rate of its tenant allows it. Without a limit this asks no Redis."""
        self._requests[tenant] += 1
        quota = await self._quotas.of(tenant)
        if not quota.limits_rate:
            return FREE
        try:
            return await self._rates.take(tenant, quota)
        except StoreFull:
            return FREE  # a full store refuses adapts, and predicts go on

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Write what was used, once a second and at the end."""
        stopping = asyncio.Event()
        reports = asyncio.create_task(self._report(stopping))
        try:
            yield
        finally:
            stopping.set()
            await reports

    async def _report(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), REPORT_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was used since the last time. What cannot be written is kept for the next time."""
        for tenant, seconds in self._engine.spent().items():
            self._device_s[tenant] += seconds
        for tenant in [*self._requests.keys() | self._device_s.keys()]:
            used = _Used(self._requests.pop(tenant, 0), self._device_s.pop(tenant, 0.0))
            try:
                await self._rates.spend(tenant, await self._quotas.of(tenant), *used)
            except HandfulError:
                self._requests[tenant] += used.requests
                self._device_s[tenant] += used.device_s
            else:
                self._show(tenant, used)

    def _show(self, tenant: str, used: _Used) -> None:
        label = tenant if self._named else ""
        metrics.tenant_requests.labels(label).inc(used.requests)
        metrics.tenant_device_seconds.labels(label).inc(used.device_s)


def check(taken: Taken) -> None:
    """Refuse a request that is not allowed. Raises RateExceeded."""
    if taken.allowed:
        return
    empty = max(taken.buckets, key=lambda bucket: bucket.wait_s)
    seconds = waits_s(taken)
    what = "seconds of the device" if empty.name == "device-seconds" else "requests"
    metrics.refused_rates.labels(empty.name).inc()
    raise RateExceeded(
        f"The tenant has used its {what}: at most {empty.size:g} at once, and {empty.size / empty.fill_s:g} more each "
        f"second. Nothing was changed. Try again in {seconds} s, or ask the operator for a larger quota.",
        retry_after_s=seconds,
    )
