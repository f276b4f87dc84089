"""What a client keeps of its examples. The choice of those that stay, and their weights, are those of the service."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from service.arrays import Array
from service.store.ages import weights_by_age
from service.store.examples import Example
from service.use_cases.keeping import places_kept

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEP_S, HALF_LIFE_S = 3600.0, 1800.0
"""The time between two steps, and the half-life."""


class Taught(NamedTuple):
    """Examples of a client: features (n, d), labels (n,), the step in which each came, and its number."""

    features: Tensor
    labels: Tensor
    steps: Tensor
    numbers: Tensor

    def chosen(self, places: Any) -> "Taught":
        """Some of them."""
        return Taught(*(each[places] for each in self))


Memory = Callable[[Taught, int, int], tuple[Taught, Array | None]]
"""What a client keeps of its examples, given the step and a number to keep, and what each counts for."""


def everything(taught: Taught, _: int, __: int) -> tuple[Taught, None]:
    """Append."""
    return taught, None


def newest_step(taught: Taught, step: int, _: int) -> tuple[Taught, None]:
    """Replace."""
    return taught.chosen(taught.steps == step), None


def kept(taught: Taught, _: int, keep: int, *, latest: bool = False) -> tuple[Taught, None]:
    """`keep` of each class, as the service chooses them."""
    places = places_kept(_examples(taught), taught.labels.tolist(), keep, classes=True, latest=latest)
    return taught.chosen(places), None


def herded(taught: Taught, _: int, keep: int) -> tuple[Taught, None]:
    """The examples whose mean is closest to that of their class, one after the other (iCaRL, arXiv:1611.07725)."""
    places = []
    for label in torch.unique(taught.labels):
        own = (taught.labels == label).nonzero().flatten()
        features, chosen = taught.features[own], list[int]()
        for count in range(1, min(keep, len(own)) + 1):
            sums = features + features[chosen].sum(0)
            far = (features.mean(0) - sums / count).square().sum(-1)
            far[chosen] = torch.inf
            chosen.append(int(far.argmin()))
        places += own[chosen].tolist()
    return taught.chosen(sorted(places)), None


def faded(taught: Taught, _: int, __: int) -> tuple[Taught, Array]:
    """All, with a half-life."""
    ways = int(taught.labels.max()) + 1
    return taught, weights_by_age(_examples(taught), taught.labels.tolist(), HALF_LIFE_S, ways=ways)


def faded_and_kept(taught: Taught, step: int, keep: int) -> tuple[Taught, Array]:
    """`half_life_s` with `keep`."""
    return faded(kept(taught, step, keep, latest=True)[0], step, keep)


MEMORIES: Mapping[str, Memory] = {
    "append": everything,
    "replace": newest_step,
    "`keep`": kept,
    "keep by herding": herded,
    "keep the latest": partial(kept, latest=True),
    "`half_life_s`": faded,
    "`half_life_s` and `keep`": faded_and_kept,
}


SAME = {"new classes": {"keep the latest", "`half_life_s`", "`half_life_s` and `keep`"}}
"""Memories that differ in nothing from others in a stream: each class comes in one step."""


def memories_of(stream: str) -> Mapping[str, Memory]:
    """What is compared on a stream."""
    return {name: memory for name, memory in MEMORIES.items() if name not in SAME.get(stream, ())}


def _examples(taught: Taught) -> list[Example]:
    """As the service has them, each with its id and its time."""
    return [
        Example(f"example-{number}", BEGAN + timedelta(seconds=STEP_S * step), "", b"")
        for number, step in zip(taught.numbers.tolist(), taught.steps.tolist(), strict=True)
    ]
