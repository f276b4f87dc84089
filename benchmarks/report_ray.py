"""The table of docs/performance.md about Ray Serve."""

from benchmarks.driving import Figures
from benchmarks.methods import table
from benchmarks.on_ray import BESIDE, SCENES

FIRST = "handful"


def beside(found: dict[str, dict[str, Figures]]) -> str:
    """Of each service and scene: requests per processor-second over those of Handful alone, and milliseconds."""
    titles = [scene.title() for scene in SCENES]
    rows = [[BESIDE[name].title, *(_cell(scenes[title], found[FIRST][title]) for title in titles)]
            for name, scenes in found.items()]  # fmt: skip
    return table(["", *titles], rows)


def _cell(figures: Figures, first: Figures) -> str:
    share = figures["per_cpu"] / first["per_cpu"]
    return f"{100 * share:.0f} %, {figures['p50_ms']:.1f}, {figures['p99_ms']:.1f}"
