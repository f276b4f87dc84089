"""Examples from records: what is missing, repeated or in two splits is left out and counted."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from models.datasets.own import splits
from models.datasets.own.columns import Columns, found
from models.datasets.own.inputs import KINDS, Kind
from models.datasets.own.read import records
from models.datasets.own.records import Record, Rejects

PEEK = 100
"""Records whose columns are those of the file."""
EVERY = 100
"""Records between two notes of progress."""
ONLY_TASK = ""
"""The task of all examples where there is no column of tasks."""


class Example(NamedTuple):
    """An input with its label, within a task, which is a label space of its own."""

    input: Any
    label: str
    task: str
    split: str
    place: str


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
            "classes left out, with one example only": len(self.lone),
        }
        lines += [f"  {count} {what}" for what, count in counts.items() if count]
        lines += [self._line(split) for split in (splits.TRAIN, splits.VALIDATION, splits.TEST)]
        return [*lines, f"  Splits are by {self.divided}."]

    def _line(self, split: str) -> str:
        counts = Counter((each.task, each.label) for each in self.examples if each.split == split)
        if not counts:
            return f"  {split}: nothing"
        tasks = len({task for task, _ in counts})
        few, most = min(counts.values()), max(counts.values())
        shots = f"{few} to {most} examples of a class, {median(counts.values()):g} as the median"
        return (
            f"  {split}: {f'{tasks} tasks, ' if tasks > 1 else ''}{len(counts)} classes, {counts.total()} rows, {shots}"
        )


def collect(path: Path, type: str, given: Columns, seed: int, progress: Callable[[int], None]) -> Own:
    """Read a file into examples with splits.

    Args:
        path: The file or folder.
        type: The type of a model's input: text, photo or table.
        given: The columns that the user names.
        seed: Of the division into splits.
        progress: Called with the number of records so far.

    Raises:
        ValueError: The file cannot be read, a column is missing, or there are fewer than two classes.
    """
    kind, rejects = KINDS[type], Rejects()
    columns, stream = opened(path, given, rejects)
    columns = _needed(columns, type, path)
    own = Own(path, type, columns, [], columns.split or "", rejects)
    seen: dict[Hashable, dict[str, str]] = {}
    for example in _examples(own, stream, kind, progress):
        key = kind.key(example.input)
        labels = {} if key is None else seen.setdefault((example.task, key), {})
        own.conflicts += bool(labels) and example.label not in labels
        if labels.setdefault(example.label, example.place) == example.place:
            own.examples.append(example)
        else:
            own.duplicates += 1
    _leave_lone_classes_out(own)
    _check(own)
    _divide(own, seed)
    if type == "table":
        own.examples = _one_type(own.examples)
    own.examples = list(_without_leaks(own, kind))
    return own


def opened(path: Path, given: Columns, rejects: Rejects) -> tuple[Columns, Iterator[Record]]:
    """The columns of a file, and its records. Raises ValueError when it has none, or a column is missing."""
    stream = iter(records(path, rejects))
    first = list(islice(stream, PEEK))
    if not first:
        raise ValueError(f"{path} has no rows that can be read" + "".join(f"; {line}" for line in rejects.lines()))
    names = list(dict.fromkeys(chain.from_iterable(each.values for each in first)))
    return found(given, names, str(path)), chain(first, stream)


def type_of(path: Path, given: Columns) -> str:
    """The type of input that a file is for: text, photo or table."""
    columns, _ = opened(path, given, Rejects())
    return "text" if columns.text else "photo" if columns.image else "table"


def _needed(columns: Columns, type: str, path: Path) -> Columns:
    """The columns that count for a type of input. Raises ValueError when the one that holds it is missing."""
    if type == "text" and not columns.text:
        raise ValueError(f"{path}: no column of texts can be told. Name it with --text")
    if type == "photo" and not columns.image:
        raise ValueError(f"{path}: no column of paths of photos can be told. Name it with --image")
    return columns._replace(
        text=columns.text if type == "text" else (), image=columns.image if type == "photo" else None
    )


def _examples(own: Own, rows: Iterable[Record], kind: Kind, progress: Callable[[int], None]) -> Iterator[Example]:
    for record in rows:
        own.rows += 1
        if own.rows % EVERY == 0:
            progress(own.rows)
        try:
            yield _example(record, own, kind)
        except ValueError as error:
            own.rejects.add(record.place, str(error))
    progress(own.rows)


def _example(record: Record, own: Own, kind: Kind) -> Example:
    columns = own.columns
    assert columns.label is not None
    label = as_label(record.values.get(columns.label), columns.label)
    task = ONLY_TASK if columns.task is None else as_label(record.values.get(columns.task), columns.task)
    split = "" if columns.split is None else _split(record.values.get(columns.split), columns.split)
    return Example(kind.make(record, columns, own.path), label, task, split, record.place)


def as_label(value: Any, column: str) -> str:
    """A value as the name of a class. Raises ValueError when there is none."""
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if isinstance(value, (dict, list)):
        raise ValueError(f"the column {column!r} holds a list or an object, not a name")
    text = "" if value is None else " ".join(str(value).split())
    if not text:
        raise ValueError(f"nothing in the column {column!r}")
    return text


def _split(value: Any, column: str) -> str:
    name = splits.NAMES.get(str(value).strip().lower())
    if name is None:
        raise ValueError(f"{value!r} in the column {column!r}; it takes train, val and test")
    return name


def _leave_lone_classes_out(own: Own) -> None:
    """A class with one example cannot be learned and asked about."""
    counts = Counter((each.task, each.label) for each in own.examples)
    own.lone = [label for (_, label), count in counts.items() if count == 1]
    own.examples = [each for each in own.examples if counts[each.task, each.label] > 1]


def _check(own: Own) -> None:
    """Raise ValueError unless a task has two classes."""
    classes = {(each.task, each.label) for each in own.examples}
    ways = Counter(task for task, _ in classes)
    if max(ways.values(), default=0) < 2:
        reasons = "".join(f"; {line}" for line in own.rejects.lines())
        raise ValueError(
            f"{own.path} has {len(classes)} class{'' if len(classes) == 1 else 'es'} of two examples or more in the "
            f"column {own.columns.label!r}, and a task needs two{reasons}"
        )


def _divide(own: Own, seed: int) -> None:
    """Divide the examples into splits; with a column of splits, hold some of training out if it has no validation."""
    if own.columns.split is None:
        division = splits.divide([each.task for each in own.examples], [each.label for each in own.examples], seed)
        own.divided = division.by
        own.examples = [one._replace(split=where) for one, where in zip(own.examples, division.splits, strict=True)]
    elif not any(each.split == splits.VALIDATION for each in own.examples):
        training = [i for i, each in enumerate(own.examples) if each.split == splits.TRAIN]
        held = [own.examples[i] for i in training]
        division = splits.divide([each.task for each in held], [each.label for each in held], seed)
        own.divided = f"{own.columns.split}; of the training split, {division.by} are held out for validation"
        for i, where in zip(training, division.splits, strict=True):
            if where == splits.VALIDATION:
                own.examples[i] = own.examples[i]._replace(split=where)


def _one_type(examples: Sequence[Example]) -> list[Example]:
    """Rows with texts in columns that are not all numbers."""
    mixed = {name for each in examples for name, value in each.input.items() if isinstance(value, str)}
    return [
        each._replace(input={n: f"{v:g}" if n in mixed and isinstance(v, float) else v for n, v in each.input.items()})
        for each in examples
    ]


def _without_leaks(own: Own, kind: Kind) -> Iterator[Example]:
    """The examples without inputs that are in a later split too: testing counts most."""
    later: dict[Hashable, int] = {}
    order = {splits.TRAIN: 0, splits.VALIDATION: 1, splits.TEST: 2}
    keys = [kind.key(each.input) for each in own.examples]
    for key, example in zip(keys, own.examples, strict=True):
        later[key] = max(later.get(key, 0), order[example.split])
    for key, example in zip(keys, own.examples, strict=True):
        if key is not None and later[key] > order[example.split]:
            own.leaks += 1
        else:
            yield example
