"""Small real tables: an episode is some rows of one table, and other rows to answer."""

import csv
import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.columns import Column, Row, Value, encode, fit
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.table_tasks import CLASSIFICATION, REGRESSION, Task
from models.learner import Episode, Kind, Support

Label = str | float

RARE = 50
"""Classes of fewer rows are left out."""


@dataclass(frozen=True)
class Table:
    """The rows of a table and what is to be predicted of each: a class, or a number."""

    name: str
    rows: Sequence[Row]
    labels: Sequence[Label]


class Drawn(NamedTuple):
    """Rows to learn from and rows to answer, with class indices or numbers."""

    rows: list[Row]
    targets: list[float]
    queries: list[Row]
    answers: list[float]
    ways: int


def read(folder: Path, task: Task, kind: Kind) -> Table:
    """A task of the tables in `folder`, which are `name.csv.gz`. Empty cells are missing."""
    with gzip.open(folder / f"{task.table}.csv.gz", "rt", newline="") as file:
        rows = _one_type([{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)])
    rows = [row for row in rows if row[task.target] is not None]
    labels = [_label(row[task.target], task, kind) for row in rows]
    counts = Counter(labels)
    kept = [i for i, label in enumerate(labels) if kind is Kind.REGRESSION or counts[label] >= RARE]
    others = [{name: value for name, value in rows[i].items() if name != task.target} for i in kept]
    above = "" if task.above is None else f" > {task.above:g}"
    return Table(f"{task.table}: {task.target}{above}", others, [labels[i] for i in kept])


def _label(value: Value, task: Task, kind: Kind) -> Label:
    if kind is Kind.REGRESSION:
        return float(value or 0)
    return str(value) if task.above is None else str(float(value or 0) > task.above)


def _value(text: str) -> Value:
    text = text.strip()
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _one_type(rows: list[dict[str, Value]]) -> list[dict[str, Value]]:
    """The rows with texts in columns that are not all numbers."""
    mixed = {name for row in rows for name, value in row.items() if isinstance(value, str)}
    return [{n: str(v) if n in mixed and v is not None else v for n, v in row.items()} for row in rows]


def draw(table: Table, rng: np.random.Generator, count: int, queries: int, ways: int) -> Drawn:
    """Draw `count` rows of at most `ways` classes, at least one of each, as often as they are in the table.

    `ways` is 0 for regression.
    """
    order: list[int] = rng.permutation(len(table.rows)).tolist()
    if not ways:
        return _drawn(table, order[:count], order[count : count + queries], [float(label) for label in table.labels], 0)
    classes = sorted({str(label) for label in table.labels})
    chosen = list(rng.permutation(classes)[:ways])
    index = {label: i for i, label in enumerate(chosen)}
    targets = [index.get(str(label), -1) for label in table.labels]
    order = [i for i in order if targets[i] >= 0]
    firsts = [next(i for i in order if targets[i] == way) for way in range(len(chosen))]
    rest = [i for i in order if i not in set(firsts)]
    left = count - len(firsts)
    return _drawn(table, [*firsts, *rest[:left]], rest[left : left + queries], targets, len(chosen))


def _drawn(table: Table, own: Sequence[int], asked: Sequence[int], targets: Sequence[float], ways: int) -> Drawn:
    rows = table.rows
    return Drawn(
        [rows[i] for i in own], [targets[i] for i in own], [rows[i] for i in asked], [targets[i] for i in asked], ways
    )


def episode_of(drawn: Drawn) -> Episode:
    """The rows as numbers, by the columns of the rows to learn from."""
    columns: list[Column] = fit(drawn.rows)
    inputs, queries = (torch.from_numpy(encode(rows, columns)) for rows in (drawn.rows, drawn.queries))
    mask = torch.ones(len(drawn.rows), dtype=torch.bool)
    support = Support(inputs, _targets(drawn.targets, drawn.ways), mask, drawn.ways)
    return Episode(support, queries, _targets(drawn.answers, drawn.ways))


def _targets(values: Sequence[float], ways: int) -> Tensor:
    return torch.tensor(values) if ways else torch.tensor(values, dtype=torch.float32).unsqueeze(-1)


class Tables(EpisodeSampler):
    """Episodes of ways x shots rows of one table, with at least one row of each class."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = tables

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw rows of one table. Tables with fewer classes give fewer."""
        table = self.tables[int(rng.integers(len(self.tables)))]
        rows, queries = (each * max(1, shape.ways) for each in (shape.shots, shape.queries))
        return episode_of(draw(table, rng, rows, queries, shape.ways))


def _open(
    kind: Kind, tasks: Mapping[str, Sequence[Task]], path: Path | None, split: str, input: Mapping[str, Any]
) -> Tables:
    assert path is not None
    tables = [read(path, task, kind) for task in tasks[split]]
    return Tables([_unit(table) for table in tables] if kind is Kind.REGRESSION else tables)


def _unit(table: Table) -> Table:
    """Numbers to predict with mean 0 and variance 1, so that errors of several tables can be averaged."""
    labels = np.array(table.labels, float)
    return Table(table.name, table.rows, ((labels - labels.mean()) / labels.std()).tolist())


def _dataset(name: str, kind: Kind, tasks: Mapping[str, Sequence[Task]]) -> Dataset:
    return Dataset(
        name=name,
        kind=kind,
        input_type="table",
        splits=dict.fromkeys(tasks, "tables"),
        test_split="tables-report",
        open=partial(_open, kind, tasks),
        source="a folder of tables, NAME.csv.gz",
    )


TABLES = _dataset("tables", Kind.CLASSIFICATION, CLASSIFICATION)
TABLES_REGRESSION = _dataset("tables-regression", Kind.REGRESSION, REGRESSION)
