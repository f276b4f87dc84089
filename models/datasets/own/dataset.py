"""The datasets of own data: one for each kind of input."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from torch import Tensor

from models import columns as table_columns
from models.columns import Row
from models.datasets.dataset import Dataset
from models.datasets.own.columns import Columns
from models.datasets.own.data import Own, collect
from models.datasets.own.episodes import EncodableEpisodes, OwnEpisodes, tasks_of
from models.datasets.own.read import FORMATS
from models.datasets.own.splits import TEST, TRAIN, VALIDATION
from models.datasets.photos import Photos
from models.datasets.pool import Indices
from models.learner import Kind

SPLITS = (TRAIN, VALIDATION, TEST, "all")
MAX_CHARACTERS = 2000
"""Of a text, where the model's card does not say."""


def dataset_name(type: str) -> str:
    """The name of the dataset for a type of input."""
    return f"own-{type}s"


def options(columns: Columns, seed: int) -> dict[str, Any]:
    """The options of these datasets, as JSON."""
    given = {name: value for name, value in columns._asdict().items() if value}
    return {"columns": given | ({"text": list(columns.text)} if columns.text else {}), "split_seed": seed}


def read_own(path: Path, type: str, columns: Columns, seed: int) -> Own:
    """The examples of a file or folder, with a progress bar. What was read last is remembered.

    Raises:
        ValueError: The file cannot be read, or has too few examples.
    """
    return _remembered(path, path.stat().st_mtime_ns, type, columns, seed)


@lru_cache(maxsize=1)
def _remembered(path: Path, changed: int, type: str, columns: Columns, seed: int) -> Own:
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Reading {path.name}", total=None)
        return collect(path, type, columns, seed, lambda count: bar.update(task, completed=count))


class Texts:
    """Texts by index, cut to the length that the service reads."""

    def __init__(self, texts: Sequence[str], max_characters: int) -> None:
        self._texts = [text[:max_characters] for text in texts]

    def __call__(self, indices: Indices) -> list[str]:
        """The texts of n indices."""
        return [self._texts[i] for i in indices]


class RowEpisodes(OwnEpisodes):
    """Episodes of rows of a table, whose columns are those of the support set."""

    def __init__(self, rows: Sequence[Row], tasks: Sequence[Any]) -> None:
        super().__init__(lambda indices: [rows[i] for i in indices], tasks)

    def _inputs(self, support: Indices, query: Indices) -> tuple[Tensor, Tensor]:
        rows = self.examples(np.concatenate([support, query]))
        columns = table_columns.fit(rows[: len(support)])
        encoded = torch.from_numpy(table_columns.encode(rows, columns))
        return encoded[: len(support)], encoded[len(support) :]


def _texts(inputs: Sequence[Any], input: Mapping[str, Any], tasks: Sequence[Any]) -> OwnEpisodes:
    return EncodableEpisodes(Texts(inputs, input.get("max_characters", MAX_CHARACTERS)), tasks, list)


def _photos(inputs: Sequence[Any], input: Mapping[str, Any], tasks: Sequence[Any]) -> OwnEpisodes:
    return EncodableEpisodes(Photos(inputs, input), tasks)


def _rows(inputs: Sequence[Any], input: Mapping[str, Any], tasks: Sequence[Any]) -> OwnEpisodes:
    return RowEpisodes(inputs, tasks)


Episodes = Callable[[Sequence[Any], Mapping[str, Any], Sequence[Any]], OwnEpisodes]
"""Makes episodes of inputs, the input of a card and the classes of each task."""
EPISODES: dict[str, Episodes] = {"text": _texts, "photo": _photos, "table": _rows}


def _open(
    type: str,
    path: Path,
    split: str,
    input: Mapping[str, Any],
    *,
    columns: Mapping[str, Any],
    split_seed: int = 0,
) -> OwnEpisodes:
    own = read_own(path, type, Columns.of(columns), split_seed)
    return EPISODES[type]([each.input for each in own.examples], input, tasks_of(own.examples, split))


OWN = tuple(
    Dataset(
        name=dataset_name(type),
        kind=Kind.CLASSIFICATION,
        input_type=type,
        splits=dict.fromkeys(SPLITS, "FILE"),
        test_split=TEST,
        open=partial(_open, type),
        source=FORMATS,
    )
    for type in EPISODES
)
