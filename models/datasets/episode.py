"""How episodes are sampled: N classes (ways), K support examples (shots) and Q queries of each."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from models.learner import Episode, Support


class Shape(NamedTuple):
    """The size of an episode.

    Args:
        ways: Number of classes; 0 for regression.
        shots: Support examples of each class; for regression, support points.
        queries: Query examples of each class; for regression, query points.
        similar: Probability that an episode is a hard one: its classes come from as few groups as possible.
    """

    ways: int
    shots: int
    queries: int
    similar: float = 0.0

    def title(self) -> str:
        """As a heading."""
        return f"{self.ways}-way {self.shots}-shot" if self.ways else f"K={self.shots}"

    def towards(self, harder: "Shape", share: float) -> "Shape":
        """A shape between this one (share 0) and a harder one (share 1), for a curriculum."""
        ways, shots, queries, similar = (easy + share * (hard - easy) for easy, hard in zip(self, harder, strict=True))
        return Shape(round(ways), round(shots), round(queries), similar)


class EpisodeSampler(ABC):
    """A distribution over episodes. The same state of `rng` gives the same episode."""

    max_ways: int | None = None
    """Number of classes that there are; None: not known, or more than any episode needs."""
    examples_count: int | None = None
    """Number of different queries, where they may be few; None: many."""

    @abstractmethod
    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode."""

    def together(self, rngs: Sequence[np.random.Generator], shape: Shape) -> list[Episode]:
        """Draw one episode from each generator. All have the same size."""
        return [self.episode(rng, shape) for rng in rngs]

    def episodes(self, shape: Shape, count: int, seed: int) -> Iterator[Episode]:
        """Draw `count` episodes. The same seed gives the same episodes."""
        return (self.episode(rng_of(seed, index), shape) for index in range(count))

    def fitting(self, shape: Shape) -> Shape | None:
        """The shape with no more ways than there are classes; None where no such episode can be drawn."""
        return shape._replace(ways=min(shape.ways, self.max_ways or shape.ways))


class FixedEpisodes(EpisodeSampler):
    """The fixed episodes of a published test. They are for evaluation only."""

    def __init__(self, fixed: list[Episode]) -> None:
        self._fixed = fixed

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Refuse. Raises ValueError."""
        raise ValueError("a fixed test has no episodes to draw: it is for evaluation only")

    def episodes(self, shape: Shape, count: int, seed: int) -> Iterator[Episode]:
        """All episodes, in their order."""
        return iter(self._fixed)


def rng_of(seed: int, index: int) -> np.random.Generator:
    """The generator of episode `index`. Any episode of a run can be drawn again without those before it."""
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
    inputs, targets, mask, ways, names, _ = episode.support
    support = Support(on_device(inputs, device), targets.to(device), mask.to(device), ways, on_device(names, device))
    return Episode(support, on_device(episode.query, device), episode.targets.to(device))


def on_device(inputs: Any, device: torch.device) -> Any:
    """Inputs on another device. Texts are on none."""
    return inputs.to(device) if isinstance(inputs, torch.Tensor) else inputs
