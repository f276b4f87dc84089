"""The simulation beside what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.scale.costs import Costs
from benchmarks.scale.plan import Plan
from benchmarks.scale.simulation import simulate

LOOPS = 16
WARM = 1000
LOADS = {
    "alone": "one client",
    "closed": f"closed loop of {LOOPS}",
    "half": "half of that, at random moments",
}


def compared(costs: Costs, measured: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """For each measurement: what it is, and answers per second, p50 and p99, measured and simulated."""
    for replicas, calls in measured.items():
        for call, loads in calls.items():
            for load, real in loads.items():
                rate = loads["closed"]["rate"] / 2 if load == "half" else 0.0
                plan = Plan(
                    replicas=int(replicas), shared=True, affinity=False, clients=LOOPS, rate=rate,
                    loops=1 if load == "alone" else LOOPS, adapts=float(call == "adapt"),
                )  # fmt: skip
                told = simulate(plan, costs, WARM)
                yield [
                    f"{replicas}, {call}s, {LOADS[load]}",
                    f"{real['rate']:.0f}, {real['p50_ms']:.1f}, {real['p99_ms']:.1f}",
                    f"{told.rate():.0f}, {told.ms(0.5):.1f}, {told.ms(0.99):.1f}",
                ]
