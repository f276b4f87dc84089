"""The simulation beside what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.scale.costs import Costs
from benchmarks.scale.plan import Plan
from benchmarks.scale.simulation import simulate

LOOPS = 16
WARM = 1000


def compared(costs: Costs, measured: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """For each measurement: what it is, and answers per second, p50 and p99, measured and simulated."""
    for replicas, calls in measured.items():
        for call, loads in calls.items():
            for load, title in (("closed", f"closed loop of {LOOPS}"), ("half", "half of that, at random moments")):
                real = loads[load]
                rate = 0.0 if load == "closed" else loads["closed"]["rate"] / 2
                plan = Plan(
                    replicas=int(replicas), shared=True, affinity=False, loops=LOOPS, clients=LOOPS, rate=rate,
                    adapts=float(call == "adapt"),
                )  # fmt: skip
                told = simulate(plan, costs, WARM)
                yield [
                    f"{replicas}, {call}s, {title}",
                    f"{real['rate']:.0f}, {real['p50_ms']:.1f}, {real['p99_ms']:.1f}",
                    f"{told.rate():.0f}, {told.ms(0.5):.1f}, {told.ms(0.99):.1f}",
                ]
