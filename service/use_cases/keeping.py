"""Bounds the examples of each class: which of them stay when a client learns more."""

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

from service.store.examples import Example, digest

POINTS = "points"
"""The only group of a regression."""
UNLABELLED = ()
"""The group of examples without a label, where an example may have several."""


def places_kept(
    examples: Sequence[Example], labels: Sequence[Any], keep: int, *, classes: bool, latest: bool = False
) -> list[int]:
    """The places of the examples that stay, in their order.

    A reservoir: the digest of the id of an example is its rank, and the `keep` lowest ranks of each class stay. They
    are an even sample of all examples that the class ever had. What left would not be chosen later either. So the same
    examples stay whether they come at once, one by one or in another order, and after a retry. There is no counter and
    no randomness to store.

    Args:
        examples: All examples, in the order in which they came.
        labels: Their labels: classes, or lists of them where an example may have several.
        keep: The most examples of each class, or of a regression. An example with several labels stays if one of its
            classes keeps it.
        classes: Whether the labels are classes.
        latest: The latest examples stay, and not an even sample. They weigh the most where weights fade.
    """
    ranked = sorted(range(len(examples)), key=(lambda place: -place) if latest else partial(_rank, examples))
    seen, stay = Counter[Hashable](), list[int]()
    for place in ranked:
        groups = _groups(labels[place]) if classes else [POINTS]
        if any(seen[group] < keep for group in groups):
            stay.append(place)
        seen.update(groups)
    return sorted(stay)


def _rank(examples: Sequence[Example], place: int) -> str:
    return digest(examples[place].id.encode())


def _groups(label: Any) -> list[Hashable]:
    """The classes of an example."""
    return (label or [UNLABELLED]) if isinstance(label, list) else [label]
