"""The share of each tenant in one API process: a tenant that sends much does not keep the others waiting for it."""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from service.engine.deadline import within

SHARE = 8
"""What a tenant may have in progress while others ask too, in requests of few examples."""
EXAMPLES = 50
"""Short examples that take this process as long as a further request."""
RECENT_S = 1.0
"""Seconds after its last request in which a tenant counts as one that asks."""


class _Waiting(NamedTuple):
    cost: int
    turn: asyncio.Future[None]


class TenantShares:
    """Requests in progress. A tenant that asks alone may have any number of them. While others ask too, each has its
    share, and its further requests wait in order.

    Args:
        deadline_s: Maximum seconds to wait.
        now: The time in seconds.
    """

    def __init__(self, deadline_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._deadline_s, self._now = deadline_s, now
        self._held: Counter[str] = Counter()
        self._asked: dict[str, float] = {}  # the time of the last request, latest last
        self._queues: defaultdict[str, deque[_Waiting]] = defaultdict(deque)

    @asynccontextmanager
    async def turn(self, tenant: str, examples: int) -> AsyncIterator[None]:
        """The turn of a request with so many short examples or queries. Raises DeadlineExceeded."""
        cost = min(SHARE, 1 + examples // EXAMPLES)
        self._note(tenant)
        if self._queues[tenant] or not self._fits(tenant, cost):
            await within(self._deadline_s, self._wait(tenant, cost))
        else:
            self._held[tenant] += cost
        try:
            yield
        finally:
            self._release(tenant, cost)

    async def _wait(self, tenant: str, cost: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queues[tenant].append(_Waiting(cost, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self._release(tenant, 0 if turn.cancelled() else cost)
            raise

    def _release(self, tenant: str, cost: int) -> None:
        """End a turn, and begin those that fit now."""
        self._held[tenant] -= cost
        queue = self._queues[tenant]
        while queue and (queue[0].turn.done() or self._fits(tenant, queue[0].cost)):
            first = queue.popleft()
            if not first.turn.done():
                self._held[tenant] += first.cost
                first.turn.set_result(None)
        if not queue:
            del self._queues[tenant]
        if not self._held[tenant]:
            del self._held[tenant]

    def _fits(self, tenant: str, cost: int) -> bool:
        return self._held[tenant] + cost <= SHARE or self._alone(tenant)

    def _alone(self, tenant: str) -> bool:
        """Whether no other tenant has asked lately."""
        latest = next((each for each in reversed(self._asked) if each != tenant), None)
        return latest is None or self._asked[latest] < self._now() - RECENT_S

    def _note(self, tenant: str) -> None:
        """Note that the tenant asks now, and forget one that has not asked lately."""
        self._asked.pop(tenant, None)
        self._asked[tenant] = self._now()
        earliest = next(iter(self._asked))
        if self._asked[earliest] < self._now() - RECENT_S:
            del self._asked[earliest]
