"""A simulated replica.

It is a node with some cores, API processes, and a worker with a queue for predicts and a queue for adapts. All of them
work in turns: what waits is computed together, and its results leave together.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator
from itertools import cycle
from typing import Any

import simpy

from benchmarks.scale.costs import Costs
from benchmarks.scale.plan import Plan

Process = Generator[simpy.Event, Any, None]
MOST_JOBS = 16
"""Jobs of a batch (HANDFUL_BATCH_JOBS)."""
Delay = Callable[[], float]


class Turns:
    """A process that computes what waits in one turn: an event loop, or a queue of the worker.

    Args:
        env: The simulation.
        fixed_s: Seconds of a turn beside those of its jobs.
        compute: Computes for some seconds.
        delay: Seconds until the process runs after it has waited.
        most: Most jobs of a turn.
    """

    def __init__(
        self,
        env: simpy.Environment,
        fixed_s: float,
        compute: Callable[[float], Process],
        delay: Delay,
        most: float = float("inf"),
    ) -> None:
        self._env, self._fixed_s, self._compute, self._delay, self._most = env, fixed_s, compute, delay, most
        self._waiting = simpy.Store(env)
        env.process(self._run())

    def job(self, seconds: float) -> Process:
        """Wait for a turn with a job of so many seconds."""
        done = self._env.event()
        yield self._waiting.put((done, seconds))
        yield done

    def _run(self) -> Process:
        while True:
            idle = not self._waiting.items
            turn = [(yield self._waiting.get())]
            if idle:
                yield self._env.timeout(self._delay())
            while self._waiting.items and len(turn) < self._most:
                turn.append((yield self._waiting.get()))
            yield from self._compute(self._fixed_s + sum(seconds for _, seconds in turn))
            for done, _ in turn:
                done.succeed()


class Replica:
    """A node: API processes, a worker with two queues, and a cache of states."""

    def __init__(self, env: simpy.Environment, plan: Plan, costs: Costs, cores: simpy.Resource, delay: Delay) -> None:
        self.env, self.plan, self.cores = env, plan, cores
        self._apis = cycle([Turns(env, costs.api_turn_s, self.on_core, delay) for _ in range(plan.api_processes)])
        self.predicts = Turns(env, costs.predict_batch_s, self.on_core, delay, MOST_JOBS)
        self.adapts = Turns(env, costs.adapt_batch_s, self.on_core, delay, MOST_JOBS)
        self.cache: OrderedDict[int, None] = OrderedDict()
        self.life = 0
        self.busy_s = 0.0

    def api(self) -> Turns:
        """The API process of a request."""
        return next(self._apis)

    def on_core(self, seconds: float) -> Process:
        """Compute."""
        with self.cores.request() as core:
            yield core
            yield self.env.timeout(seconds)
            self.busy_s += seconds

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
