"""Several labels for one example: sets of classes as clients send them, as they are stored, and as targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.labels import Classes, checked_labels

MOST = 100
"""Maximum labels of one example."""


class LabelSet(list[Any]):
    """The `labels` of an example, as they were sent."""


def checked_sets(labels: Sequence[Any]) -> list[list[Any]]:
    """Each set sorted, without repeats, strings in NFC; a single label is a set of one.

    Raises Unprocessable when a label is none, or when they are not all strings or all integers.
    """
    sets = [list(each) if isinstance(each, list) else [each] for each in labels]
    for i, own in enumerate(sets):
        if len(own) > MOST:
            field = f"support[{i}].labels"
            raise Unprocessable(f"{field}: {len(own)} labels; the limit is {MOST}.", field=field)
    places = [(i, j) for i, own in enumerate(sets) for j in range(len(own))]
    try:
        checked = checked_labels([label for own in sets for label in own])
    except Unprocessable as error:
        raise _placed(error, places, labels) from None
    found = iter(checked)
    return [sorted({next(found) for _ in own}) for own in sets]


def _placed(error: Unprocessable, places: Sequence[tuple[int, int]], labels: Sequence[Any]) -> Unprocessable:
    """The error of the label number n of all as that of a label of an example."""
    number = int((error.field or "").partition("[")[2].partition("]")[0])
    i, j = places[number]
    field = f"support[{i}].labels[{j}]" if isinstance(labels[i], list) else f"support[{i}].label"
    return Unprocessable(error.detail.replace(f"support[{number}].label", field, 1), field=field)


def class_sets(labels: Sequence[list[Any]]) -> tuple[Classes, Array]:
    """The sorted classes, and whether each example has each of them, bool (n, ways)."""
    classes: Classes = sorted({label for own in labels for label in own})
    index = {label: i for i, label in enumerate(classes)}
    targets = np.zeros((len(labels), len(classes)), bool)
    for i, own in enumerate(labels):
        targets[i, [index[label] for label in own]] = True
    return classes, targets


def index_lists(targets: Array) -> list[list[int]]:
    """Which classes each example has, as they are stored."""
    return [np.flatnonzero(own).tolist() for own in targets]


def from_index_lists(lists: Sequence[Sequence[int]], ways: int) -> Array:
    """Bool (n, ways). Raises IndexError for a class that there is not, TypeError for anything but a list."""
    targets = np.zeros((len(lists), ways), bool)
    for i, own in enumerate(lists):
        targets[i, list(own)] = True
    return targets
