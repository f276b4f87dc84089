"""Examples from records: what is missing, repeated or in two splits is left out and counted."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from statistics import median
from types import NoneType
from typing import Any, NamedTuple

from models.columns import Value, cell
from models.datasets.own import splits
from models.datasets.own.columns import Columns, found
from models.datasets.own.inputs import KINDS, LARGEST, UNUSABLE, Kind
from models.datasets.own.read import records
from models.datasets.own.records import NOT_UTF8, Record, Rejects

PEEK = 100
"""Records whose columns are those of the file."""
EVERY = 100
"""Records between two notes of progress."""
ONLY_TASK = ""
"""The task of all examples where there is no column of tasks."""
NO_CLASS = ""
"""The label where numbers are to be predicted."""
FEWEST_NUMBERS = 5
"""Rows of a task, for a regression to be learned and measured."""
NUMBERS = 20
"""Labels that are more different numbers than this are no classes."""
MISSING = frozenset({"na", "n/a", "#n/a", "nan", "null", "none", "-", "?"})
"""What stands for a missing number in a column of numbers, in small letters."""
LABELS_READ = 5000
"""Rows whose labels tell a regression."""


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


def collect(path: Path, type: str, given: Columns, seed: int, progress: Callable[[int], None]) -> Own:
    """Read a file into examples with splits.

    Args:
        path: The file or folder.
        type: The type of a model's input: text, photo or table.
        given: The columns that the user names.
        seed: Of the division into splits.
        progress: Called with the number of records so far.

    Raises:
        ValueError: The file cannot be read, a column is missing, or there are fewer than two classes or numbers.
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
    _check_numbers(own) if columns.regression else _check(own)
    _divide(own, seed)
    if type == "table":
        _usable_columns(own)
    own.examples = list(_without_leaks(own, kind))
    return own


def opened(path: Path, given: Columns, rejects: Rejects) -> tuple[Columns, Iterator[Record]]:
    """The columns of a file, and its records. Raises ValueError when it has none, or a column is missing."""
    stream = iter(records(path, rejects))
    first = list(islice(stream, PEEK))
    if not first and set(rejects.counts) == {NOT_UTF8}:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8")
    if not first:
        raise ValueError(f"{path} has no rows that can be read" + "".join(f"; {line}" for line in rejects.lines()))
    names = list(dict.fromkeys(chain.from_iterable(each.values for each in first)))
    return found(given, names, str(path)), chain(first, stream)


def type_of(path: Path, given: Columns) -> tuple[str, bool]:
    """The type of input that a file is for: text, photo or table; and whether its labels are numbers to predict.

    Labels are numbers to predict where the user says so; or where all are numbers, many of them different. Beside
    texts or photos that only the names of columns tell, they must also not be whole, as numbers of classes are.
    """
    columns, stream = opened(path, given, Rejects())
    type = "text" if columns.text else "photo" if columns.image else "table"
    if given.regression is not None or given.text or given.image:
        return ("table" if given.regression else type), bool(given.regression)
    labels = (record.values.get(str(columns.label)) for record in islice(stream, LABELS_READ))
    numbers = _numbers(labels)
    regression = len(numbers) > NUMBERS and (type == "table" or not all(map(float.is_integer, numbers)))
    return ("table" if regression else type), regression


def _numbers(labels: Iterable[Any]) -> set[float]:
    """The different numbers among labels; none if one is no number. Missing ones do not count."""
    found: set[float] = set()
    for label in labels:
        value = _cell(label) if isinstance(label, str) else label
        if isinstance(value, bool) or not isinstance(value, (int, float, NoneType)):
            return set()
        if value is not None and math.isfinite(value):
            found.add(float(value))
    return found


def _needed(columns: Columns, type: str, path: Path) -> Columns:
    """The columns that count for a type of input. Raises ValueError when the one that holds it is missing."""
    if type != "table" and columns.regression:
        raise ValueError(
            f"{path}: numbers are predicted from rows of a table, not from {type}s: leave out --regression"
        )
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
    raw = record.values.get(columns.label)
    label, value = (
        (NO_CLASS, as_number(raw, columns.label)) if columns.regression else (as_label(raw, columns.label), math.nan)
    )
    task = ONLY_TASK if columns.task is None else as_label(record.values.get(columns.task), columns.task)
    split = "" if columns.split is None else _split(record.values.get(columns.split), columns.split)
    return Example(kind.make(record, columns, own.path), label, task, split, record.place, value)


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


def _cell(text: str) -> Value:
    return None if text.strip().lower() in MISSING else cell(text)


def as_number(value: Any, column: str) -> float:
    """A value as a number to predict. Raises ValueError when it is none."""
    number = _cell(value) if isinstance(value, str) else value
    if number is None:
        raise ValueError(f"nothing in the column {column!r}")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= LARGEST:
        raise ValueError(f"{str(value)[:50]!r} in the column {column!r} is no number")
    return float(number)


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
        reasons = f"; {len(own.lone)} labels have one example only" if own.lone else ""
        reasons += "".join(f"; {line}" for line in own.rejects.lines())
        raise ValueError(
            f"{own.path} has {len(classes)} class{'' if len(classes) == 1 else 'es'} of two examples or more in the "
            f"column {own.columns.label!r}, and a task needs two{reasons}"
        )


def _check_numbers(own: Own) -> None:
    """Raise ValueError unless a task has some rows, with different numbers."""
    values: dict[str, list[float]] = {}
    for each in own.examples:
        values.setdefault(each.task, []).append(each.value)
    if not any(len(each) >= FEWEST_NUMBERS and len(set(each)) > 1 for each in values.values()):
        reasons = "".join(f"; {line}" for line in own.rejects.lines())
        raise ValueError(
            f"{own.path}: a task needs {FEWEST_NUMBERS} rows with different numbers in the column "
            f"{own.columns.label!r}, and none has them{reasons}"
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


def _usable_columns(own: Own) -> None:
    """Leave out columns that hold lists and the like, and give each column one type.

    A column of numbers may have marks such as NA for missing ones; with other texts, its numbers are texts too.

    Raises:
        ValueError: No column is left.
    """
    cells = [(name, value) for each in own.examples for name, value in each.input.items()]
    own.unusable = sorted({name for name, value in cells if value is UNUSABLE})
    words = {name for name, value in cells if isinstance(value, str) and value.lower() not in MISSING}
    numbers = {name for name, value in cells if _is_number(value)} - words
    own.examples = [each._replace(input=_row(each.input, own.unusable, words, numbers)) for each in own.examples]
    if not any(each.input for each in own.examples):
        raise ValueError(f"{own.path} has no column of numbers or texts beside the label")


def _row(row: Mapping[str, Any], unusable: Sequence[str], words: Set[str], numbers: Set[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in row.items():
        if name in words and _is_number(value):
            found[name] = f"{value:g}"
        elif name not in unusable:
            found[name] = None if name in numbers and isinstance(value, str) else value
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
