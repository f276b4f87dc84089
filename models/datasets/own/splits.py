"""Which examples are for training, validation and testing."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

TRAIN, VALIDATION, TEST = "train", "val", "test"
NAMES = {
    TRAIN: TRAIN, "training": TRAIN,
    VALIDATION: VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION,
    TEST: TEST, "testing": TEST, "eval": TEST,
}  # fmt: skip
"""How a split may be called."""
HELD_OUT = 0.2
"""Share of the tasks, classes or examples for validation, and for testing."""
FEWEST_TASKS, FEWEST_CLASSES = 5, 9
"""With fewer tasks, classes are divided; with fewer classes, the examples of each class."""


class Division(NamedTuple):
    """The split of each example, and what was divided: tasks, classes or examples."""

    splits: list[str]
    by: str


def divide(tasks: Sequence[str], labels: Sequence[str], seed: int) -> Division:
    """Divide examples into three splits, the same for the same seed.

    Whole tasks where there are enough of them, else whole classes, so that what is tested was not trained on. With few
    classes, the examples of each class are divided, and what is tested are new examples of known classes.
    """
    rng = np.random.default_rng(seed)
    distinct, classes = sorted(set(tasks)), sorted(set(zip(tasks, labels, strict=True)))
    if len(distinct) >= FEWEST_TASKS:
        where = _assigned(distinct, rng, 1)
        return Division([where[task] for task in tasks], "tasks")
    if len(classes) >= FEWEST_CLASSES and len(distinct) == 1:
        where = _assigned(classes, rng, 3)
        return Division([where[each] for each in zip(tasks, labels, strict=True)], "classes")
    return Division(_within(list(zip(tasks, labels, strict=True)), rng), "examples")


def _assigned(things: Sequence[Hashable], rng: np.random.Generator, fewest: int) -> dict[Hashable, str]:
    """A split for each of some things; at least `fewest` of them are held out twice."""
    order = [things[i] for i in rng.permutation(len(things))]
    held = max(fewest, round(HELD_OUT * len(order)))
    return {thing: TEST if i < held else VALIDATION if i < 2 * held else TRAIN for i, thing in enumerate(order)}


def _within(classes: Sequence[Hashable], rng: np.random.Generator) -> list[str]:
    """A split for each example, so that each class is in all three if it has enough examples."""
    counts, seen = Counter(classes), Counter[Hashable]()
    splits = [TRAIN] * len(classes)
    for i in rng.permutation(len(classes)):
        held = max(1, round(HELD_OUT * counts[classes[i]]))
        place = seen[classes[i]]
        splits[i] = TEST if place < held else VALIDATION if place < 2 * held < counts[classes[i]] else TRAIN
        seen[classes[i]] += 1
    return splits
