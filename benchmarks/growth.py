"""The time of a job as one quantity grows: python -m benchmarks.growth; writes into docs/performance.json.

Worker alone: jobs in a batch, ways, shots. Over HTTP: clients in Redis, with predicts for random ones.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from itertools import product

from rich.progress import track

from benchmarks.alone import MOST_WAYS, adapts, become_worker, device, measure, predicts
from benchmarks.driving import console
from benchmarks.peers.network import PROTONET, SPECS
from benchmarks.results import keep
from benchmarks.stored import among_stored
from service.engine.device import Device

BATCH, WAYS, SHOTS, CLIENTS = "jobs in a batch", "ways", "shots", "clients in Redis"
SIZES = {
    BATCH: (1, 2, 4, 8, 16, 32, 64), WAYS: (2, 4, 8, 16, 32, MOST_WAYS), SHOTS: (1, 2, 4, 8, 16, 32),
    CLIENTS: (10, 100, 1_000, 10_000, 100_000),
}  # fmt: skip
HTTP_TIMES = 4
"""Factor for the time of a point over HTTP, which is less steady than one of the worker alone."""
NOISE = 1.1
"""Tolerance for growth that is worse than linear."""

Points = Mapping[int, Mapping[str, float]]


def main() -> None:
    """Measure, print what grows too much, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="Seconds of each point.")
    given = parser.parse_args()
    become_worker("benchmarks.growth")
    with device() as one:
        found = {axis: alone(one, axis, given.seconds) for axis in (BATCH, WAYS, SHOTS)}
    clients = among_stored(SIZES[CLIENTS], given.seconds * HTTP_TIMES)
    found[CLIENTS] = {f"{PROTONET} predict": clients}
    for axis, curves in found.items():
        console.print(f"{axis}: {verdict(axis, curves)}")
    keep(growth=found)


def alone(one: Device, axis: str, seconds: float) -> dict[str, Points]:
    """The curves along one axis, for the worker alone. Predicts have no curve over shots: the size of a state does not
    depend on them."""
    calls = ["adapt"] if axis == SHOTS else ["adapt", "predict"]
    wanted = list(product(SPECS, calls))
    return {f"{model} {call}": curve(one, model, call, axis, seconds) for model, call in track(wanted, axis)}


def curve(one: Device, model: str, call: str, axis: str, seconds: float) -> Points:
    """Rate and processor time at each size. The other quantities are 5 ways, 1 shot, 1 query and 1 job."""
    points = {}
    for size in SIZES[axis]:
        ways, shots, jobs = {BATCH: (5, 1, size), WAYS: (size, 1, 1), SHOTS: (5, size, 1)}[axis]
        if call == "adapt":
            learnt = adapts(model, ways, shots, jobs)
            found = measure(partial(one.adapt, learnt), jobs, seconds)
        else:
            asked = predicts(one, model, ways, 1, jobs)
            found = measure(partial(one.predict, asked), jobs, seconds)
        points[size] = found._asdict()
    return points


def verdict(axis: str, curves: Mapping[str, Points]) -> str:
    """Whether anything along an axis is worse than linear, in words."""
    worst = {title: too_large(axis, points) for title, points in curves.items()}
    named = [f"{title} at {', '.join(map(str, sizes))}" for title, sizes in worst.items() if sizes]
    return f"worse than linear: {'; '.join(named) or 'nothing'}"


def too_large(axis: str, points: Points) -> list[int]:
    """The sizes at which the processor time has grown by more than the size has, since the smallest."""
    per_size = {size: work(axis, size, point["cpu_us"]) / size for size, point in points.items()}
    smallest = per_size[min(per_size)]
    return [size for size, each in per_size.items() if each > smallest * NOISE]


def work(axis: str, size: int, cpu_us: float) -> float:
    """The time of all jobs of a batch; for the other axes, of one job."""
    return cpu_us * size if axis == BATCH else cpu_us


if __name__ == "__main__":
    main()
