"""How many replicas and shards a load needs, and what they cost."""

import math
from typing import NamedTuple

import numpy as np

from benchmarks.scale.costs import API_TURNS, Costs
from benchmarks.scale.plan import Outcome, Plan
from benchmarks.scale.simulation import simulate

CLIENTS = 1_000_000
SPREAD = 1.5
"""Standard deviation of the logarithm of how often a client asks: a tenth of the clients sends half of the requests."""
ADAPTS = 0.01
SWING = 0.8
"""The rate at the peak of the day is 1 + SWING times the mean, in the night 1 - SWING times."""
DAY_S = 86_400
CORES, BUSY = 2, 0.6
"""Cores of a replica, and the share of them that may be busy at the peak."""
NETWORK_S = 0.0005
SECONDS, WARM = 3, 1_000_000
"""Simulated seconds of each figure, and the requests before them, which fill the caches."""
P99_MS = 20.0
"""The simulated p99 at the peak, with one replica gone. What was measured is up to four times as long."""
CACHE_BYTES = 512 * 2**20
SHARD_BYTES, SHARD_BUSY = 16 * 2**30, 0.5
OVERHEAD = 1.3
"""Memory of a Redis over that of its values."""
CORE_HOUR, GB_HOUR = 0.04, 0.005
"""Prices, in dollars."""


class Size(NamedTuple):
    """What a load needs."""

    per_day: int
    mean: float
    peak: float
    replicas: int
    p99_ms: float
    p99_one_gone_ms: float
    shards: int
    redis_gb: float
    dollars_per_million: float


class Draw:
    """Draws clients, of which some ask much more often than others."""

    def __init__(self, clients: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._sums = np.cumsum(self._rng.lognormal(0, SPREAD, clients))
        self._drawn: list[int] = []

    def __call__(self) -> int:
        """A client."""
        if not self._drawn:
            at = self._rng.random(10_000) * self._sums[-1]
            self._drawn = np.searchsorted(self._sums, at).tolist()
        return self._drawn.pop()


def rate_at(mean: float, hour: float) -> float:
    """Requests per second at an hour of the day; the peak is at 15 o'clock."""
    return mean * (1 + SWING * math.cos((hour - 15) / 24 * 2 * math.pi))


def plan_of(costs: Costs, replicas: int, rate: float, state_bytes: float | None = None) -> Plan:
    """A plan with the assumptions of this file."""
    cached = int(CACHE_BYTES / (state_bytes or costs.state_bytes))
    return Plan(
        replicas=replicas, cores=CORES, rate=rate, adapts=ADAPTS, clients=CLIENTS, cached=cached, seconds=SECONDS,
        network_s=NETWORK_S, shards=4,
    )  # fmt: skip


def simulated(plan: Plan, costs: Costs) -> Outcome:
    """Simulate with caches as they are in the long run."""
    return simulate(plan, costs, warm=WARM, draw=Draw(plan.clients))


def size(costs: Costs, per_day: int) -> Size:
    """What a million clients need that send `per_day` requests a day each."""
    mean = CLIENTS * per_day / DAY_S
    peak = mean * (1 + SWING)
    each = (
        costs.predict_api_s
        + API_TURNS * costs.api_turn_s
        + costs.predict_worker_s
        + costs.predict_batch_s
        + costs.miss_api_s
        + costs.miss_worker_s
    )
    replicas = max(math.ceil(peak * each / CORES / BUSY), 1)
    while (gone := simulated(plan_of(costs, replicas, peak), costs)).ms(0.99) > P99_MS or gone.busy > BUSY:
        replicas += 1
    replicas += 1  # one may be gone
    redis_bytes = CLIENTS * (costs.client_bytes + costs.state_bytes) * OVERHEAD
    shards = max(math.ceil(redis_bytes / SHARD_BYTES), math.ceil(peak * costs.predict_redis_s / SHARD_BUSY))
    dollars = 24 * (replicas * CORES * CORE_HOUR + redis_bytes / 1e9 * 2 * GB_HOUR)
    whole = simulated(plan_of(costs, replicas, peak), costs)
    return Size(
        per_day, mean, peak, replicas, whole.ms(0.99), gone.ms(0.99), shards, redis_bytes / 1e9,
        dollars / (CLIENTS * per_day / 1e6),
    )  # fmt: skip
