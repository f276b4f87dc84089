"""What examples count for by their age, for clients whose data drifts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from service.arrays import Array
from service.store.examples import Example

LEAST = 2.0**-20
"""No example counts for less, so that a class whose newest example is left out still has a mean."""


def weights_by_age(examples: Sequence[Example], targets: Sequence[Any], half_life_s: float, *, ways: int) -> Array:
    """What each example counts for, (n,) float32: 1 for the newest of its class, half as much `half_life_s` seconds
    before that, and so on.

    The age is counted from the newest example of the class and not from now. So the weights depend on the examples
    alone: a state that is made again is the same, and a class that is not taught for a while does not fade.

    Args:
        examples: The examples.
        targets: Their class indices; for regression anything.
        half_life_s: The time in which an example loses half of its weight, in seconds.
        ways: Number of classes; 0 for regression, all of whose points are one class.
    """
    seconds = np.array([_seconds(example.created_at) for example in examples], np.float64)
    classes = np.array(targets, np.int64) if ways else np.zeros(len(examples), np.int64)
    newest = np.full(ways + 1, -np.inf)  # the last one is of examples without a label
    np.maximum.at(newest, classes, seconds)
    weights: Array = np.exp2(-(newest[classes] - seconds) / half_life_s)
    return weights.clip(LEAST, 1).astype(np.float32)


def _seconds(time: datetime) -> float:
    return time.timestamp()
