"""Episodes that are drawn from a fixed set of examples, each of which can be encoded once."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Support

Indices = NDArray[np.intp]
Examples = Callable[[Indices], Any]
"""The examples (n, *input) of n indices, or n texts."""


CHUNK = 64
"""Examples that are encoded between two steps of the progress bar."""


class EncodableSampler(EpisodeSampler):
    """Episodes over a fixed set of labelled examples, each of which can be encoded once."""

    @abstractmethod
    def encoded(self, encode: Callable[[Any], Tensor]) -> "EncodableSampler":
        """The same episodes, with features in place of inputs. Each example is encoded when it is first drawn."""

    @abstractmethod
    def labelled(self) -> tuple[Tensor, Indices]:
        """All examples (n, *input) and the number of the class of each (n,), with a progress bar, since encoding them
        may take minutes."""


class Pool(EncodableSampler):
    """Episodes over labelled examples, whose support and queries come from different parts.

    Args:
        examples: The examples by index.
        labels: The class of each example (n,).
        for_support: Which examples may be in a support set (n,).
        for_query: Which may be queries (n,). An example that may be both is never both in one episode.
    """

    def __init__(
        self, examples: Examples, labels: Indices, for_support: NDArray[np.bool_], for_query: NDArray[np.bool_]
    ) -> None:
        self.examples, self.labels = examples, labels
        self._for_support, self._for_query = for_support, for_query
        self.classes = np.unique(labels)
        self.max_ways = len(self.classes)
        self._support = [np.flatnonzero((labels == each) & for_support) for each in self.classes]
        self._query = [np.flatnonzero((labels == each) & for_query) for each in self.classes]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes in random order, and examples of each class."""
        if len(self.classes) < shape.ways:
            raise ValueError(f"{shape.ways} ways are too many: there are {len(self.classes)} classes")
        drawn = [self._draw(rng, i, shape) for i in rng.choice(len(self.classes), shape.ways, replace=False)]
        indices = np.concatenate([support for support, _ in drawn] + [query for _, query in drawn])
        inputs, labels, count = self.examples(indices), torch.arange(shape.ways), shape.ways * shape.shots
        mask = torch.ones(count, dtype=torch.bool)
        support = Support(inputs[:count], labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(support, inputs[count:], labels.repeat_interleave(shape.queries))

    def encoded(self, encode: Callable[[Any], Tensor]) -> "Pool":
        """The same episodes, with features in place of inputs. Each example is encoded when it is first drawn."""
        return Pool(Encoded(self.examples, encode), self.labels, self._for_support, self._for_query)

    def labelled(self) -> tuple[Tensor, Indices]:
        """All examples (n, *input), and the number of the class of each (n,)."""
        return in_chunks(self.examples, np.arange(len(self.labels))), np.unique(self.labels, return_inverse=True)[1]

    def _draw(self, rng: np.random.Generator, index: int, shape: Shape) -> tuple[Indices, Indices]:
        support = _choice(rng, self._support[index], shape.shots)
        return support, _choice(rng, np.setdiff1d(self._query[index], support), shape.queries)


def in_chunks(examples: Examples, indices: Indices) -> Tensor:
    """Examples (n, *input) of n indices, with a progress bar."""
    chunks = np.array_split(indices, -(-len(indices) // CHUNK))
    return torch.cat([examples(chunk) for chunk in track(chunks, "Encoding", console=Console(stderr=True))])


class Encoded:
    """Examples that are encoded when they are first asked for, and then remembered."""

    def __init__(self, examples: Examples, encode: Callable[[Any], Tensor]) -> None:
        self._examples, self._encode = examples, encode
        self._known: dict[int, Tensor] = {}

    def __call__(self, indices: Indices) -> Tensor:
        """Features (n, *features)."""
        if new := [each for each in dict.fromkeys(indices.tolist()) if each not in self._known]:
            self._known.update(zip(new, self._encode(self._examples(np.array(new))), strict=True))
        return torch.stack([self._known[each] for each in indices.tolist()])


def _choice(rng: np.random.Generator, members: Indices, count: int) -> Indices:
    if len(members) < count:
        raise ValueError(f"{count} examples of a class are too many: there are {len(members)} to draw from")
    return rng.choice(members, count, replace=False)
