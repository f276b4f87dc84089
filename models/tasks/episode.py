"""Episodes, and the drawing of them: N classes, K support and Q query examples of each."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from models.learner import Kind, Support


class Episode(NamedTuple):
    """One task: learn from `support`, answer `query` (q, *input), be judged by `targets` (q,) or (q, outputs)."""

    support: Support
    query: Tensor
    targets: Tensor


class Shape(NamedTuple):
    """The size of an episode. For regression `ways` is 0, `shots` and `queries` count points."""

    ways: int
    shots: int
    queries: int


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
