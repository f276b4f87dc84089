"""How episodes are drawn: N classes, K support and Q query examples of each."""

from typing import NamedTuple, Protocol

import numpy as np
import torch

from models.learner import Episode, Kind, Support


class Shape(NamedTuple):
    """The size of an episode. For regression `ways` is 0, `shots` and `queries` count points.

    `alike` is the chance that its classes are drawn to be look-alikes.
    """

    ways: int
    shots: int
    queries: int
    alike: float = 0.0

    def towards(self, harder: "Shape", share: float) -> "Shape":
        """A step of a curriculum: so far on the way from this shape to a harder one; 0 is this, 1 that."""
        ways, shots, queries, alike = (easy + share * (hard - easy) for easy, hard in zip(self, harder, strict=True))
        return Shape(round(ways), round(shots), round(queries), alike)


class Tasks(Protocol):
    """A distribution over tasks. The same state of `rng` gives the same episode."""

    kind: Kind

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one task."""
        ...


def rng_of(seed: int, index: int) -> np.random.Generator:
    """The generator of episode `index`: any episode of a run can be drawn again without those before it."""
    return np.random.default_rng([seed, index])


def stack(episodes: list[Episode]) -> Episode:
    """Episodes of one shape as one, with a leading axis of tasks."""
    supports = [episode.support for episode in episodes]
    support = Support(
        torch.stack([s.inputs for s in supports]),
        torch.stack([s.targets for s in supports]),
        torch.stack([s.mask for s in supports]),
        supports[0].ways,
    )
    return Episode(support, torch.stack([e.query for e in episodes]), torch.stack([e.targets for e in episodes]))


def to_device(episode: Episode, device: torch.device) -> Episode:
    """The episode on another device."""
    inputs, targets, mask, ways = episode.support
    support = Support(inputs.to(device), targets.to(device), mask.to(device), ways)
    return Episode(support, episode.query.to(device), episode.targets.to(device))
