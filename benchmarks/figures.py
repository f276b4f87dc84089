"""The tables of docs/applications.md and their figures as JSON, docs/applications.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods import ROOT, filled, table

PAGE, RESULTS = ROOT / "docs/applications.md", ROOT / "docs/applications.json"


@dataclass(frozen=True)
class Figure:
    """A mean and the half width of its 95 % interval."""

    mean: float
    ci95: float
    digits: int = 2

    def __str__(self) -> str:
        return f"{self.mean:.{self.digits}f} ± {self.ci95:.{self.digits}f}"


@dataclass(frozen=True)
class Table:
    """A table: texts and figures."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Figure]]


def figure_of(values: Sequence[float], digits: int = 2) -> Figure:
    """The mean of independent values, with its interval."""
    half = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return Figure(round(float(np.mean(values)), digits + 2), round(float(half), digits + 2), digits)


def publish(tables: Mapping[str, Table]) -> None:
    """Write tables beside those of other benchmarks, and show them between their markers in the page."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(found | {name: asdict(each) for name, each in tables.items()}, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(), RESULTS))


def page(text: str, results: Path) -> str:
    """The page with the tables of the results."""
    found: dict[str, Any] = json.loads(results.read_text())
    shown = {
        name: table(each["header"], [list(map(_shown, row)) for row in each["rows"]]) for name, each in found.items()
    }
    return filled(text, shown)


def _shown(cell: str | dict[str, Any]) -> str:
    return cell if isinstance(cell, str) else str(Figure(**cell))
