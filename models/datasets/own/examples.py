"""What was read of a file: its examples, and what was left out."""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from models.datasets.own import splits
from models.datasets.own.columns import Columns
from models.datasets.own.records import Rejects

NO_CLASS = ""
"""The label where numbers are to be predicted."""


class Example(NamedTuple):
    """An input with its label, within a task, which is a label space of its own. With numbers to predict, all labels
    are `NO_CLASS`."""

    input: Any
    label: str
    task: str
    split: str
    place: str
    value: float = math.nan
    """The number to predict of a regression."""


@dataclass
class Own:
    """The examples of a file, and what was left out."""

    path: Path
    type: str
    columns: Columns
    examples: list[Example]
    divided: str
    """What was divided into splits: tasks, classes, examples; or the column of splits."""
    rejects: Rejects
    rows: int = 0
    duplicates: int = 0
    conflicts: int = 0
    leaks: int = 0
    lone: list[str] = field(default_factory=list)
    """Classes with one example only."""
    unusable: list[str] = field(default_factory=list)
    """Columns that hold lists or the like."""

    def command(self) -> str:
        """The options of the command line that name the columns; a folder needs none."""
        return "" if self.path.is_dir() or self.path.suffix == ".zip" else self.columns.command()

    def summary(self) -> list[str]:
        """What was read, in lines for the user."""
        columns = f"; columns {self.command()}" if self.command() else ""
        lines = [f"{self.path}: {self.rows} rows, {len(self.examples)} examples{columns}"]
        lines += [f"  left out, {line}" for line in self.rejects.lines()]
        counts = {
            "duplicates left out": self.duplicates,
            "examples with two labels": self.conflicts,
            f"leaks between splits (left out of {splits.TRAIN} and {splits.VALIDATION})": self.leaks,
            f"{'tasks' if self.columns.regression else 'classes'} left out, with one example only": len(self.lone),
        }
        lines += [f"  {count} {what}" for what, count in counts.items() if count]
        if self.unusable:
            lines.append(f"  columns left out, neither numbers nor texts: {', '.join(self.unusable[:20])}")
        lines += [self._line(split) for split in (splits.TRAIN, splits.VALIDATION, splits.TEST)]
        return [*lines, f"  Splits are by {self.divided}."]

    def _line(self, split: str) -> str:
        counts = Counter((each.task, each.label) for each in self.examples if each.split == split)
        if not counts:
            return f"  {split}: nothing"
        tasks = len({task for task, _ in counts})
        if self.columns.regression:
            values = [each.value for each in self.examples if each.split == split]
            of_tasks = f"{tasks} tasks, " if tasks > 1 else ""
            return (
                f"  {split}: {of_tasks}{len(values)} rows, {self.columns.label} from {min(values):g} to {max(values):g}"
            )
        few, most = min(counts.values()), max(counts.values())
        shots = f"{few} to {most} examples of a class, {median(counts.values()):g} as the median"
        return (
            f"  {split}: {f'{tasks} tasks, ' if tasks > 1 else ''}{len(counts)} classes, {counts.total()} rows, {shots}"
        )
