"""docs/performance.md and its plots, from docs/performance.json: python -m benchmarks.report"""

from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks import report_encoders, report_limits, report_ray
from benchmarks.costs import CLIENTS
from benchmarks.methods import filled, table
from benchmarks.results import RESULTS, read
from benchmarks.services import SERVICES

PAGE = RESULTS.with_suffix(".md")
PLOT = RESULTS.with_suffix(".png")
SHOWN = "16 clients"

Results = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    """Write the page and its plots."""
    found = read()
    grown = report_limits.read_growth(found["growth"])
    PAGE.write_text(filled(PAGE.read_text(), parts(found) | {"growth": report_limits.growth(grown)}))
    draw(found["scenes"])
    report_limits.draw(grown)


def parts(found: dict[str, Any]) -> dict[str, str]:
    """The tables by their names in the page."""
    return {
        "rates": rates(found["scenes"]),
        "latency": latency(found["scenes"]),
        "costs": costs(found["costs"]),
        "agreement": report_limits.agreement(found["agreement"]),
        "half-load": report_limits.half_load(found["latency"]["half_load"]),
        "beside-adapts": report_limits.beside(found["latency"]["beside_adapts"]),
        "fairness": report_limits.fairness(found["fairness"]),
        "watched": report_limits.watched(found.get("watched", {})),
        "peak": report_limits.peak(found["peak"]),
        "encoder-rates": report_encoders.rates(found.get("encoders", {})),
        "encoder-ratios": report_encoders.ratios(found.get("encoders", {})),
        "memory-formats": report_encoders.memory_formats(found.get("memory_formats", {})),
        "ray": report_ray.beside(found.get("ray", {})),
        "precision": report_encoders.precision(found.get("precision", {})),
    }


def rates(results: Results) -> str:
    """Requests per second of the service's processor time, of every scene."""
    return _table(results, list(results), lambda figures: _number(figures["per_cpu"]))


def latency(results: Results) -> str:
    """Requests per second and milliseconds, of the scenes with 16 clients."""
    scenes = [scene for scene in results if SHOWN in scene]
    return _table(results, scenes, _times)


def costs(found: dict[str, dict[str, float]]) -> str:
    """The costs of a client of each model."""
    header = [
        "model",
        "state, bytes",
        "adapt, alone",
        f"adapt, {CLIENTS} at once",
        "predict, alone",
        f"predict, {CLIENTS}",
    ]
    return table(header, [[f"`{name}`", *(f"{value:.0f}" for value in cost.values())] for name, cost in found.items()])


def draw(results: Results) -> None:
    """Requests per second of processor time, a bar for each service."""
    scenes = [scene for scene in results if SHOWN in scene]
    figure, axes = plt.subplots(figsize=(10, 5), layout="constrained")
    width = 0.8 / len(SERVICES)
    for index, (name, service) in enumerate(SERVICES.items()):
        heights = [results[scene].get(name, {}).get("per_cpu", 0) for scene in scenes]
        axes.bar([at + index * width for at in range(len(scenes))], heights, width, label=service.title)
    axes.set(yscale="log", ylabel="requests per second of processor time", title=SHOWN)
    names = [scene.removesuffix(f", {SHOWN}").replace(", ", "\n").replace(" ", "\n") for scene in scenes]
    axes.set_xticks([at + 0.4 for at in range(len(scenes))], names)
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(PLOT, dpi=80)


def _table(results: Results, scenes: list[str], cell: Any) -> str:
    rows = [
        [scene, *(cell(results[scene][name]) if name in results[scene] else "" for name in SERVICES)]
        for scene in scenes
    ]
    return table(["", *(service.title for service in SERVICES.values())], rows)


def _times(figures: dict[str, Any]) -> str:
    if figures["p50_ms"] is None:
        return "none in time"
    return f"{_number(figures['rate'])}, {figures['p50_ms']:.0f}, {figures['p99_ms']:.0f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


if __name__ == "__main__":
    main()
