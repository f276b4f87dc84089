"""Examples from records: what is missing, repeated or in two splits is left out and counted."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path

from models.datasets.own import splits
from models.datasets.own.columns import Columns
from models.datasets.own.examples import NO_CLASS, Example, Own
from models.datasets.own.inputs import KINDS, Kind
from models.datasets.own.labels import as_label, as_number, as_split
from models.datasets.own.opening import needed, opened
from models.datasets.own.records import Record, Rejects
from models.datasets.own.table_columns import clean_columns

EVERY = 100
"""Records between two notes of progress."""
ONLY_TASK = ""
"""The task of all examples where there is no column of tasks."""
FEWEST_NUMBERS = 5
"""Rows of a task, for a regression to be learned and measured."""


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
    columns = needed(columns, type, path)
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
        clean_columns(own)
    own.examples = list(_without_leaks(own, kind))
    return own


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
    split = "" if columns.split is None else as_split(record.values.get(columns.split), columns.split)
    return Example(kind.make(record, columns, own.path), label, task, split, record.place, value)


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
