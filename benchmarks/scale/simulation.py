"""A discrete-event simulation of replicas behind a balancer, with SimPy.

Redis is a number of shards, each with a core of its own. The network takes a constant time.
"""

from collections.abc import Callable

import numpy as np
import simpy

from benchmarks.scale.costs import API_TURNS, Costs
from benchmarks.scale.plan import Outcome, Plan
from benchmarks.scale.replica import Process, Replica, Turns


class Service:
    """All replicas, Redis, and the load."""

    def __init__(self, plan: Plan, costs: Costs, draw: Callable[[], int] | None = None, seed: int = 0) -> None:
        self.plan, self.costs, self.env = plan, costs, simpy.Environment()
        self.rng = np.random.default_rng(seed)
        self.draw = draw or (lambda: int(self.rng.integers(plan.clients)))
        shared = simpy.Resource(self.env, plan.cores)
        self.cores = shared
        self.replicas = [
            Replica(self.env, plan, costs, shared if plan.shared else simpy.Resource(self.env, plan.cores), self._delay)
            for _ in range(plan.replicas)
        ]
        self.load = Turns(self.env, 0.0, self._on_shared, self._delay)
        self.shards = [shared if plan.shared else simpy.Resource(self.env, 1) for _ in range(plan.shards)]
        self.gone: set[int] = set()
        self.down: set[int] = set()
        self.outcome = Outcome(plan.seconds)

    def run(self) -> Outcome:
        """Simulate."""
        if self.plan.rate:
            self.env.process(self._arrivals())
        else:
            for _ in range(self.plan.loops):
                self.env.process(self._loop())
        if self.plan.dies_at < self.plan.seconds:
            self.env.process(self._death())
        self.env.run(self.plan.seconds)
        busy = sum(replica.busy_s for replica in self.replicas)
        self.outcome.busy = busy / self.plan.seconds / (self.plan.cores * len(self.replicas))
        return self.outcome

    def warm(self, requests: int) -> None:
        """Fill the caches as so many requests would."""
        for _ in range(requests):
            client = self.draw()
            self.replicas[self._replica_of(client)].has(client)

    def _arrivals(self) -> Process:
        while True:
            yield self.env.timeout(self.rng.exponential(1 / self.plan.rate))
            self.env.process(self._request())

    def _loop(self) -> Process:
        while True:
            yield from self._request()

    def _request(self) -> Process:
        if self.plan.shared:
            yield from self.load.job(self.costs.client_s)
        began, client = self.env.now, self.draw()
        adapt = self.rng.random() < self.plan.adapts
        number = self._replica_of(client)
        replica = self.replicas[number]
        life = replica.life
        if number in self.down:
            self.outcome.failed += 1
            return
        yield self.env.timeout(self.plan.network_s)
        yield from self._adapt(replica, client) if adapt else self._predict(replica, client)
        if replica.life != life:
            self.outcome.failed += 1
        else:
            (self.outcome.adapts if adapt else self.outcome.predicts).append(self.env.now - began)

    def _predict(self, replica: Replica, client: int) -> Process:
        costs, known = self.costs, replica.has(client)
        self.outcome.hits += known
        self.outcome.misses += not known
        api = replica.api()
        yield from api.job(costs.predict_api_s / API_TURNS)
        yield from self._redis(client, costs.predict_redis_s + (0 if known else costs.miss_redis_s))
        yield from api.job(costs.predict_api_s / API_TURNS + (0 if known else costs.miss_api_s))
        yield from replica.predicts.job(costs.predict_worker_s + (0 if known else costs.miss_worker_s))
        yield from api.job(costs.predict_api_s / API_TURNS)

    def _adapt(self, replica: Replica, client: int) -> Process:
        replica.has(client)
        api, costs = replica.api(), self.costs
        yield from api.job(costs.adapt_api_s / API_TURNS)
        yield from replica.adapts.job(costs.adapt_worker_s)
        yield from api.job(costs.adapt_api_s / API_TURNS)
        yield from self._redis(client, costs.adapt_redis_s)
        yield from api.job(costs.adapt_api_s / API_TURNS)

    def _redis(self, client: int, seconds: float) -> Process:
        yield self.env.timeout(self.plan.network_s + self._delay())
        with self.shards[client % len(self.shards)].request() as turn:
            yield turn
            yield self.env.timeout(seconds)

    def _on_shared(self, seconds: float) -> Process:
        with self.cores.request() as core:
            yield core
            yield self.env.timeout(seconds)

    def _delay(self) -> float:
        """Seconds until a process that waited runs."""
        return self.costs.delays_s[int(self.rng.integers(len(self.costs.delays_s)))]

    def _replica_of(self, client: int) -> int:
        """By a hash, or any; replicas that are known to be gone are left out."""
        some = [number for number in range(len(self.replicas)) if number not in self.gone]
        if not self.plan.affinity:
            return some[int(self.rng.integers(len(some)))]
        first = client * 2_654_435_761 % len(self.replicas)
        return first if first not in self.gone else some[client * 40_503 % len(some)]

    def _death(self) -> Process:
        yield self.env.timeout(self.plan.dies_at)
        self.replicas[0].die()
        self.down.add(0)
        yield self.env.timeout(self.plan.noticed_s)
        self.gone.add(0)
        yield self.env.timeout(max(self.plan.down_s - self.plan.noticed_s, 0))
        self.down.discard(0)
        self.gone.discard(0)


def simulate(plan: Plan, costs: Costs, warm: int = 0, draw: Callable[[], int] | None = None, seed: int = 0) -> Outcome:
    """Simulate a plan, with caches as after `warm` requests.

    Args:
        plan: The service and its load.
        costs: What requests cost.
        warm: Requests before the simulation.
        draw: Draws the client of a request. Default: all clients alike.
        seed: Of the random numbers.
    """
    service = Service(plan, costs, draw, seed)
    service.warm(warm)
    return service.run()
