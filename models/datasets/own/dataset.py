"""The datasets of own data: one for each kind of input."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler
from models.datasets.own.columns import Columns
from models.datasets.own.data import collect
from models.datasets.own.episodes import EncodableEpisodes, OwnEpisodes, tasks_of
from models.datasets.own.examples import Own
from models.datasets.own.read import FORMATS
from models.datasets.own.rows import RowEpisodes, ValueEpisodes
from models.datasets.own.splits import TEST, TRAIN, VALIDATION
from models.datasets.photos import Photos
from models.datasets.pool import Indices
from models.learner import Kind

SPLITS = (TRAIN, VALIDATION, TEST, "all")
MAX_CHARACTERS = 2000
"""Of a text, where the model's card does not say."""


def dataset_name(type: str, *, regression: bool | None = False) -> str:
    """The name of the dataset for a type of input, with classes or with numbers to predict."""
    return f"own-{type}s{'-regression' if regression else ''}"


def options(columns: Columns, seed: int) -> dict[str, Any]:
    """The options of these datasets, as JSON."""
    given = {name: value for name, value in columns._asdict().items() if value not in (None, ())}
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


def _open_values(
    path: Path, split: str, input: Mapping[str, Any], *, columns: Mapping[str, Any], split_seed: int = 0
) -> ValueEpisodes:
    return ValueEpisodes.of(read_own(path, "table", Columns.of(columns), split_seed), split)


def _dataset(name: str, kind: Kind, type: str, opened: Callable[..., EpisodeSampler]) -> Dataset:
    return Dataset(
        name=name,
        kind=kind,
        input_type=type,
        splits=dict.fromkeys(SPLITS, "FILE"),
        test_split=TEST,
        open=opened,
        source=FORMATS,
    )


OWN = (
    *(_dataset(dataset_name(type), Kind.CLASSIFICATION, type, partial(_open, type)) for type in EPISODES),
    _dataset(dataset_name("table", regression=True), Kind.REGRESSION, "table", _open_values),
)
