"""Episodes over rows of a table: classes, or numbers to predict."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from models import columns as table_columns
from models.columns import Row
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.own.episodes import ClassExamples, OwnEpisodes, tasks_of
from models.datasets.own.examples import Own
from models.datasets.pool import Indices
from models.learner import Episode, Support


class RowEpisodes(OwnEpisodes):
    """Episodes of rows of a table, whose columns are those of the support set."""

    def __init__(self, rows: Sequence[Row], tasks: Sequence[Any]) -> None:
        super().__init__(lambda indices: [rows[i] for i in indices], tasks)

    def _inputs(self, support: Indices, query: Indices) -> tuple[Tensor, Tensor]:
        rows = self.examples(np.concatenate([support, query]))
        return encoded(rows[: len(support)], rows[len(support) :])


class DrawnRows(NamedTuple):
    """Rows to learn from and rows to answer, with their numbers, (n,) and (q,). `spread`: the variance of the numbers
    of the task."""

    rows: list[Row]
    values: Tensor
    queries: list[Row]
    answers: Tensor
    spread: float


class ValueEpisodes(EpisodeSampler):
    """Episodes of a regression: some rows of one task to learn from, and others whose numbers are to be predicted.

    An episode has as many queries as there are, if fewer than were asked for.

    Args:
        rows: The rows by index.
        values: The number of each row (n,).
        tasks: The rows of each task.
    """

    def __init__(self, rows: Sequence[Row], values: Tensor, tasks: Sequence[ClassExamples]) -> None:
        self.rows, self.values, self.tasks = rows, values, tasks
        self.examples_count = sum(len(task.query) for task in tasks)

    @classmethod
    def of(cls, own: Own, split: str) -> Self:
        """The episodes of a split of own data."""
        tasks = [one for classes in tasks_of(own.examples, split) for one in classes]
        values = torch.tensor([each.value for each in own.examples], dtype=torch.float64)
        return cls([each.input for each in own.examples], values, tasks)

    def draw(self, rng: np.random.Generator, shape: Shape) -> DrawnRows:
        """Draw the rows of an episode. Raises ValueError when no task has enough."""
        usable = self._usable(shape.shots)
        if not usable:
            raise ValueError(f"no task has {shape.shots + 1} rows or more: give fewer shots")
        task = usable[rng.integers(len(usable))]
        support = rng.choice(task.support, shape.shots, replace=False)
        left = np.setdiff1d(task.query, support)
        query = rng.choice(left, min(shape.queries, len(left)), replace=False)
        rows, asked = ([self.rows[i] for i in some] for some in (support, query))
        of_task = self.values[np.union1d(task.support, task.query)]
        return DrawnRows(rows, self.values[support], asked, self.values[query], float(of_task.var(correction=0)))

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode."""
        return episode_of(self.draw(rng, shape))

    def fitting(self, shape: Shape) -> Shape | None:
        """The shape with no more queries than there are; None where the rows are too few."""
        most = max((task.available(shape.shots) for task in self._usable(shape.shots)), default=0)
        return Shape(0, shape.shots, min(shape.queries, most)) if most else None

    def _usable(self, shots: int) -> list[ClassExamples]:
        return [task for task in self.tasks if task.available(shots) > 0]


def episode_of(drawn: DrawnRows) -> Episode:
    """The rows as numbers."""
    inputs, queries = encoded(drawn.rows, drawn.queries)
    values, answers = (each.float().unsqueeze(-1) for each in (drawn.values, drawn.answers))
    return Episode(Support(inputs, values, torch.ones(len(values), dtype=torch.bool), 0), queries, answers)


def encoded(rows: Sequence[Row], queries: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Features of the rows and of the queries, by the columns of the rows."""
    columns = table_columns.fit(rows)
    inputs, asked = (torch.from_numpy(table_columns.encode(each, columns)) for each in (rows, queries))
    return inputs, asked
