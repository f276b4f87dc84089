"""Write docs/scaling.md from the measured costs: python -m benchmarks.scale

Measures nothing; python -m benchmarks.scale.measure does.
"""

from pathlib import Path

from benchmarks.driving import console
from benchmarks.methods import filled, table
from benchmarks.results import read
from benchmarks.scale.check import compared
from benchmarks.scale.costs import Costs
from benchmarks.scale.sizing import Size, plan_of, rate_at, simulated, size

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
PER_DAY = (1, 10, 100)
HOURS = (3, 7, 11, 15, 19)
LARGE = "glyphs-maml"
DIES_AT_S, DOWN_S, AFTER_S = 2.0, 8.0, 12.0


def main() -> None:
    """Simulate, and write each part of the page as it comes."""
    costs = Costs.measured()
    write("costs", cost_table(costs))
    write(
        "check", table(["replicas, load", "measured", "simulated"], list(compared(costs, read()["scale"]["measured"])))
    )
    sizes: list[Size] = []
    for per_day in PER_DAY:
        sizes.append(size(costs, per_day))
        write("sizes", size_table(sizes))
    for name, shown in (("failure", failure_table), ("affinity", affinity_table), ("day", day_table)):
        write(name, shown(costs, sizes[-1]))


def write(name: str, part: str) -> None:
    """Write a part of the page."""
    console.print(name)
    console.print(part)
    PAGE.write_text(filled(PAGE.read_text(), {name: part}))


def cost_table(costs: Costs) -> str:
    """Milliseconds by process."""
    calls = {"predict": "predict", "miss": "predict, more without the state", "adapt": "adapt"}
    sizes = {"predict": costs.predict_bytes, "miss": costs.state_bytes, "adapt": costs.adapt_bytes}
    of = {name: 1e3 * value for name, value in costs._asdict().items() if name.endswith("_s") and name != "delays_s"}
    rows = [
        [title, f"{of[f'{call}_api_s']:.2f}", f"{of.get(f'{call}_batch_s', 0):.2f} + {of[f'{call}_worker_s']:.2f}",
         f"{of[f'{call}_redis_s']:.3f}", f"{sizes[call]:.0f}"]
        for call, title in calls.items()
    ]  # fmt: skip
    return table(["", "API, ms", "worker, ms a batch + a job", "Redis, ms", "bytes"], rows)


def size_table(sizes: list[Size]) -> str:
    """What each load needs."""
    header = [
        "predicts a client a day", "mean, peak per second", "replicas", "p99, one gone, ms", "Redis shards",
        "Redis, GB", "$ a million",
    ]  # fmt: skip
    rows = [
        [str(each.per_day), f"{each.mean:.0f}, {each.peak:.0f}", str(each.replicas),
         f"{each.p99_ms:.1f}, {each.p99_one_gone_ms:.1f}", str(each.shards), f"{each.redis_gb:.0f}",
         f"{each.dollars_per_million:.2f}"]
        for each in sizes
    ]  # fmt: skip
    return table(header, rows)


def affinity_table(costs: Costs, large: Size) -> str:
    """The share of states found in the cache, and the p99, by the size of a state."""
    rows = []
    for name, state_bytes in (
        ("prototypical network", costs.state_bytes),
        (LARGE, read()["costs"][LARGE]["state_bytes"]),
    ):
        for affinity in (True, False):
            plan = plan_of(costs, large.replicas, large.peak, state_bytes)._replace(affinity=affinity)
            found = simulated(plan, costs)
            share = found.hits / (found.hits + found.misses)
            rows.append(
                [
                    f"{name}, {state_bytes:.0f}",
                    "yes" if affinity else "no",
                    f"{100 * share:.0f} %",
                    f"{found.ms(0.99):.1f}",
                ]
            )
    return table(["model, bytes of a state", "affinity", "in the cache", "p99, ms"], rows)


def day_table(costs: Costs, large: Size) -> str:
    """The load and the latency over a day."""
    rows = []
    for hour in HOURS:
        rate = rate_at(large.mean, hour)
        found = simulated(plan_of(costs, large.replicas, rate), costs)
        rows.append(
            [
                str(hour),
                f"{rate:.0f}",
                f"{100 * found.busy:.0f} %",
                f"{found.ms(0.5):.1f}, {found.ms(0.99):.1f}",
            ]
        )
    return table(["hour", "requests per second", "cores busy", "p50, p99, ms"], rows)


def failure_table(costs: Costs, large: Size) -> str:
    """A replica that dies at the peak."""
    rows = []
    for affinity in (True, False):
        plan = plan_of(costs, large.replicas, large.peak)._replace(
            affinity=affinity, dies_at=DIES_AT_S, down_s=DOWN_S, seconds=AFTER_S
        )
        found = simulated(plan, costs)
        answered = len(found.predicts) + len(found.adapts)
        rows.append(
            ["yes" if affinity else "no", f"{found.failed} of {answered + found.failed}", f"{found.ms(0.99):.1f}"]
        )
    return table(["affinity", "failed", "p99, ms"], rows)


if __name__ == "__main__":
    main()
