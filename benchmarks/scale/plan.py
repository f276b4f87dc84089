"""What is simulated, and what the clients of it see."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Plan(NamedTuple):
    """A service and its load.

    Args:
        replicas: Replicas.
        cores: Cores of each replica; with `shared`, of all together.
        shared: Whether all replicas, Redis and the load generator share the cores of one machine.
        api_processes: API processes of each replica.
        shards: Shards of Redis.
        affinity: Whether the balancer sends a client to one replica.
        cached: States in the cache of each worker.
        clients: Clients; each request is of a random one.
        rate: Requests per second at random moments; 0: a closed loop of `loops` clients.
        loops: Concurrent clients of a closed loop.
        adapts: Share of the requests that are adapts.
        seconds: Simulated seconds.
        network_s: Seconds on the way to the service, and to Redis, and back.
        dies_at: When the first replica dies; its requests fail.
        down_s: Seconds until it is back, with an empty cache.
        noticed_s: Seconds until the balancer sends it no more requests.
    """

    replicas: int = 1
    cores: int = 2
    shared: bool = False
    api_processes: int = 1
    shards: int = 1
    affinity: bool = True
    cached: int = 10_000
    clients: int = 100
    rate: float = 0
    loops: int = 16
    adapts: float = 0
    seconds: float = 10
    network_s: float = 0.0
    dies_at: float = float("inf")
    down_s: float = 30
    noticed_s: float = 1


@dataclass
class Outcome:
    """What the clients saw, and the share of the replicas' cores that was busy."""

    seconds: float
    predicts: list[float] = field(default_factory=list)
    adapts: list[float] = field(default_factory=list)
    failed: int = 0
    hits: int = 0
    misses: int = 0
    busy: float = 0

    def rate(self) -> float:
        """Answers per second."""
        return (len(self.predicts) + len(self.adapts)) / self.seconds

    def ms(self, share: float) -> float:
        """The milliseconds within which a share of the predicts was answered; of the adapts if there are no others."""
        return float(np.quantile(self.predicts or self.adapts, share)) * 1000
