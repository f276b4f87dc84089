"""The parts of docs/performance.md that are about limits: growth and its plot, latency, the peak, agreement."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Picture

from benchmarks.fairness import worst_first
from benchmarks.growth import BATCH, CLIENTS, Points, verdict
from benchmarks.methods import table
from benchmarks.results import RESULTS

PLOT = RESULTS.with_name("growth.png")

WORST = 3
"""Models in the table of fairness."""

Growth = Mapping[str, Mapping[str, Points]]


def read_growth(found: Mapping[str, Any]) -> Growth:
    """The measured curves. JSON has turned the sizes into strings."""
    return {
        axis: {title: {int(size): point for size, point in points.items()} for title, points in curves.items()}
        for axis, curves in found.items()
    }


def growth(found: Growth) -> str:
    """A table for each quantity that grows, and what is worse than linear."""
    return "\n".join(
        f"{growth_table(axis, curves)}\n{verdict(axis, curves).capitalize()}.\n" for axis, curves in found.items()
    )


def growth_table(axis: str, curves: Mapping[str, Points]) -> str:
    """Jobs per second and microseconds of processor time each, at every size."""
    sizes = next(iter(curves.values()))
    rows = [[title, *map(_point, points.values())] for title, points in curves.items()]
    return table([axis, *map(str, sizes)], rows)


def half_load(found: Mapping[str, Mapping[str, float]]) -> str:
    """Latency at half load, for each model."""
    header = ["predict", "most, /s", "asked, /s", "p50, ms", "p99, ms", "p99 / p50 (goal: under 4)"]
    return table(header, [[model, *_half(figures)] for model, figures in found.items()])


def beside(found: Mapping[str, Mapping[str, float]]) -> str:
    """Latency of predicts, alone and with adapts beside them."""
    alone, both, adapts = (found[name] for name in ("alone", "beside", "adapts"))
    ratio = f"{both['p99_ms'] / alone['p99_ms']:.1f}"
    rows = [
        ["alone", f"{alone['rate']:.0f}", "0", *_times(alone), ""],
        ["beside adapts", f"{both['rate']:.0f}", f"{adapts['rate']:.0f}", *_times(both), ratio],
    ]
    return table(["", "predicts, /s", "adapts, /s", "p50, ms", "p99, ms", "p99 / p99 alone (goal: at most 2)"], rows)


def peak(found: Mapping[str, Any]) -> str:
    """The share of the peak that each adapt reaches."""
    header = ["adapt", "MFLOP", "µs", "GFLOP/s", f"share of {found['gflops']:.0f} GFLOP/s"]
    rows = [
        [title, f"{one['mflop']:.0f}", f"{one['cpu_us']:.0f}", f"{one['gflops']:.0f}", f"{one['share']:.0%}"]
        for title, one in found["adapts"].items()
    ]
    return table(header, rows)


def fairness(found: Mapping[str, Mapping[str, float]]) -> str:
    """What a tenant notices of another's flood: the three models where it is worst."""
    header = ["model", "predict, quiet, ms", "flooded, ms", "ratio (goal: under 5)"]
    header += ["adapt, quiet, ms", "flooded, ms", "ratio (goal: under 10)"]
    names = worst_first(found)[:WORST]
    rows = [[f"`{name}`", *(f"{value:.1f}" for value in found[name].values())] for name in names]
    return table(header, rows)


def watched(found: Mapping[str, Mapping[str, float]]) -> str:
    """What a tenant notices of another's flood beyond its quota."""
    header = ["model", "predict, quiet, ms", "flooded, ms", "ratio", "adapt, quiet, ms", "flooded, ms", "ratio"]
    return table(header, [[f"`{name}`", *(f"{value:.1f}" for value in one.values())] for name, one in found.items()])


def agreement(found: Mapping[str, Mapping[str, float]]) -> str:
    """The difference between the fast paths and the plain one, for each model."""
    rows = [
        [f"`{name}`", str(one["queries"]), str(one["flips"]), f"{one['largest']:.0e}"] for name, one in found.items()
    ]
    return table(["model", "queries", "other top answers", "largest change of a probability"], rows)


def draw(found: Growth) -> None:
    """A panel for each quantity that grows. Dotted lines show linear growth."""
    picture = Picture(figsize=(10, 7), layout="constrained")
    for axes, (axis, curves) in zip(picture.subplots(2, 2).flat, found.items(), strict=True):
        for title, points in curves.items():
            sizes, times = list(points), [point["cpu_us"] for point in points.values()]
            (line,) = axes.plot(sizes, times, "o-", label=title)
            axes.plot(sizes, _linear(axis, sizes, times[0]), ":", color=line.get_color(), alpha=0.5)
        axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="µs of processor time a job")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 2, high * 2)  # leave room, so that noise does not look like growth
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.legend(fontsize="small")
    picture.savefig(PLOT, dpi=80)


def _linear(axis: str, sizes: list[int], first: float) -> list[float]:
    """Linear growth. The time of a job should not grow with the batch or with the clients in Redis."""
    return [first if axis in (BATCH, CLIENTS) else first * size / sizes[0] for size in sizes]


def _point(point: Mapping[str, float]) -> str:
    hits = f", {point['hits']:.0%}" if "hits" in point else ""
    return f"{point['rate']:.0f}, {point['cpu_us']:.0f}{hits}"


def _half(figures: Mapping[str, float]) -> list[str]:
    rates = f"{figures['most']:.0f}", f"{figures['rate']:.0f}"
    return [*rates, *_times(figures), f"{figures['p99_ms'] / figures['p50_ms']:.1f}"]


def _times(figures: Mapping[str, float]) -> list[str]:
    return [f"{figures[name]:.1f}" for name in ("p50_ms", "p99_ms")]
