"""A simulated replica.

It is a node with some cores, API processes, and a worker with a queue for predicts, which it computes in batches, and a
queue for adapts. Each burst of processor time needs a core, and a process has one burst at a time.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Any

import simpy

from benchmarks.scale.costs import Costs
from benchmarks.scale.plan import Plan

Process = Generator[simpy.Event, Any, None]
MOST_JOBS = 16
"""Jobs of a batch (HANDFUL_BATCH_JOBS)."""


class Queue:
    """A queue of the worker: what waits is computed as one batch."""

    def __init__(self, env: simpy.Environment, batch_s: float, compute: Callable[[float], Process]) -> None:
        self._env, self._batch_s, self._compute = env, batch_s, compute
        self._waiting = simpy.Store(env)
        env.process(self._run())

    def job(self, seconds: float) -> Process:
        """Wait for a batch with a job of so many seconds."""
        done = self._env.event()
        yield self._waiting.put((done, seconds))
        yield done

    def _run(self) -> Process:
        while True:
            batch = [(yield self._waiting.get())]
            while self._waiting.items and len(batch) < MOST_JOBS:
                batch.append((yield self._waiting.get()))
            yield from self._compute(self._batch_s + sum(seconds for _, seconds in batch))
            for done, _ in batch:
                done.succeed()


class Replica:
    """A node: an API, a worker with two queues, and a cache of states."""

    def __init__(self, env: simpy.Environment, plan: Plan, costs: Costs, cores: simpy.Resource) -> None:
        self.env, self.plan, self.cores = env, plan, cores
        self.api = simpy.Resource(env, plan.api_processes)
        self.predicts = Queue(env, costs.predict_batch_s, self.on_core)
        self.adapts = Queue(env, costs.adapt_batch_s, self.on_core)
        self.cache: OrderedDict[int, None] = OrderedDict()
        self.life = 0
        self.busy_s = 0.0

    def on_core(self, seconds: float) -> Process:
        """Compute."""
        with self.cores.request() as core:
            yield core
            yield self.env.timeout(seconds)
            self.busy_s += seconds

    def in_api(self, seconds: float) -> Process:
        """Compute in a free API process."""
        with self.api.request() as process:
            yield process
            yield from self.on_core(seconds)

    def has(self, client: int) -> bool:
        """Whether the state of a client is in the cache. It is from now on."""
        known = client in self.cache
        self.cache[client] = None
        self.cache.move_to_end(client)
        if len(self.cache) > self.plan.cached:
            self.cache.popitem(last=False)
        return known

    def die(self) -> None:
        """Lose the requests that are running, and the cache."""
        self.life += 1
        self.cache.clear()
