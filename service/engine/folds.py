"""Folds of a support set: which examples are left out together, so that each is answered as if it were new."""

from collections.abc import Sequence

import numpy as np

from service.arrays import TEXT, UNLABELLED, Array

NEVER = -1
"""The fold of an example that is never left out: its class would have no examples, or it has no label."""
LEAVE_ONE_OUT = 200
"""Examples are left out one by one up to so many."""
COUNTS = (20, 10, 5)
"""Numbers of folds where leaving out one by one takes too long."""


def choices(inputs: int) -> list[int]:
    """Numbers of folds for so many different inputs, the most first."""
    return [*([inputs] if inputs <= LEAVE_ONE_OUT else []), *(count for count in COUNTS if count < inputs)]


def same_inputs(inputs: Array) -> Array:
    """The number (n,) of the input of each example; identical inputs have the same number."""
    numbers: dict[object, int] = {}
    keys = inputs.tolist() if inputs.dtype == TEXT else [np.ascontiguousarray(one).tobytes() for one in inputs]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def folds(same: Array, targets: Array, ways: int, count: int) -> Array:
    """The fold (n,) of each example, 0 to `count - 1`, or `NEVER`.

    Identical inputs are left out together; otherwise a copy would give the answer away. Each fold has about the same
    share of each class, and leaves examples of all classes.

    Args:
        same: As of `same_inputs`.
        targets: Class indices (n,); or (n, outputs) for regression, (n, ways) for several labels.
        ways: Number of classes; 0 for regression.
        count: Number of folds.
    """
    classes = targets if ways and targets.ndim == 1 else np.zeros(len(same), np.int64)
    _, first, number = np.unique(same, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, classes[first]))] = np.arange(len(first))
    found: Array = rank[number] % count
    found[classes == UNLABELLED] = NEVER
    for each in range(max(ways, 1)):
        own = classes == each
        if len(set(found[own].tolist())) == 1:
            found[own] = NEVER
    return found


def parts(fold: Array) -> Sequence[Array]:
    """The places of the examples of each fold that is not empty."""
    return [np.flatnonzero(fold == each) for each in np.unique(fold[fold != NEVER])]
