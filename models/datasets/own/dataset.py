"""The datasets of own data: one for each kind of input."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from models.datasets.dataset import Dataset
from models.datasets.own.columns import Columns
from models.datasets.own.data import Own, collect, joined_text, text_key
from models.datasets.own.episodes import EncodableEpisodes, OwnEpisodes, tasks_of
from models.datasets.own.read import FORMATS
from models.datasets.own.splits import TEST, TRAIN, VALIDATION
from models.datasets.pool import Indices
from models.learner import Kind

ALL = "all"
SPLITS = (TRAIN, VALIDATION, TEST, ALL)
MAX_CHARACTERS = 2000
"""Of a text, where the model's card does not say."""


def options(columns: Columns, seed: int) -> dict[str, Any]:
    """The options of these datasets, as JSON."""
    given = {name: value for name, value in columns._asdict().items() if value}
    return {"columns": given | ({"text": list(columns.text)} if columns.text else {}), "split_seed": seed}


def read_texts(path: Path, columns: Columns, seed: int) -> Own:
    """The texts of a file."""
    return _remembered(path, path.stat().st_mtime_ns, columns, seed)


@lru_cache(maxsize=1)
def _remembered(path: Path, changed: int, columns: Columns, seed: int) -> Own:
    """A file is read once, though several splits are opened."""
    return _with_bar(path, lambda progress: collect(path, columns, joined_text, text_key, seed, progress))


def _with_bar(path: Path, read: Callable[[Callable[[int], None]], Own]) -> Own:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Reading {path.name}", total=None)
        return read(lambda count: bar.update(task, completed=count))


class Texts:
    """Texts by index, cut to the length that the service reads."""

    def __init__(self, texts: Sequence[str], max_characters: int) -> None:
        self._texts = [text[:max_characters] for text in texts]

    def __call__(self, indices: Indices) -> list[str]:
        """The texts of n indices."""
        return [self._texts[i] for i in indices]


def _open_texts(
    path: Path, split: str, input: Mapping[str, Any], *, columns: Mapping[str, Any], split_seed: int = 0
) -> OwnEpisodes:
    own = read_texts(path, Columns.of(columns), split_seed)
    texts = Texts([each.input for each in own.examples], input.get("max_characters", MAX_CHARACTERS))
    return EncodableEpisodes(texts, tasks_of(own.examples, split))


OWN_TEXTS = Dataset(
    name="own-texts",
    kind=Kind.CLASSIFICATION,
    input_type="text",
    splits=dict.fromkeys(SPLITS, "FILE"),
    test_split=TEST,
    open=_open_texts,
    source=FORMATS,
)
