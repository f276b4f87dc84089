"""docs/performance.md and its plot, from docs/performance.json: python -m benchmarks.report"""

import re
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.costs import CLIENTS
from benchmarks.results import RESULTS, read
from benchmarks.services import SERVICES

PAGE = RESULTS.with_suffix(".md")
PLOT = RESULTS.with_suffix(".png")
SHOWN = "16 clients"

Results = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    """Write both."""
    found = read()
    results: Results = found["scenes"]
    text = PAGE.read_text()
    tables = {"rates": rates(results), "latency": latency(results), "costs": costs(found["costs"])}
    for name, table in tables.items():
        marks = f"<!-- {name} -->", f"<!-- /{name} -->"
        text = re.sub(f"{marks[0]}.*?{marks[1]}", f"{marks[0]}\n{table}\n{marks[1]}", text, flags=re.DOTALL)
    PAGE.write_text(text)
    draw(results)


def rates(results: Results) -> str:
    """Requests per second of the service's processor time, of every scene."""
    return _table(results, list(results), lambda figures: _number(figures["per_cpu"]))


def latency(results: Results) -> str:
    """Requests per second and milliseconds, of the scenes with 16 clients."""
    scenes = [scene for scene in results if SHOWN in scene]
    return _table(results, scenes, _times)


def costs(found: dict[str, dict[str, float]]) -> str:
    """What a client of each model costs."""
    rows = [
        ["model", "state, bytes", "adapt, alone", f"adapt, {CLIENTS} at once", "predict, alone", f"predict, {CLIENTS}"],
        ["---"] * 6,
    ]
    rows += [[f"`{name}`", *(f"{value:.0f}" for value in cost.values())] for name, cost in found.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


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
    rows = [["", *(service.title for service in SERVICES.values())], ["---"] * (len(SERVICES) + 1)]
    for scene in scenes:
        rows.append([scene, *(cell(results[scene][name]) if name in results[scene] else "" for name in SERVICES)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _times(figures: dict[str, Any]) -> str:
    if figures["p50_ms"] is None:
        return "none in time"
    return f"{_number(figures['rate'])}, {figures['p50_ms']:.0f}, {figures['p99_ms']:.0f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


if __name__ == "__main__":
    main()
