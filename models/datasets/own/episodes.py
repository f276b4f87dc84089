"""Episodes over the examples of one split: a task is drawn, then classes, then examples of each."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.class_names import plain_words
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.own.examples import Example
from models.datasets.own.splits import TRAIN
from models.datasets.pool import EncodableSampler, Encoded, Indices, in_chunks
from models.learner import Episode, Support

MEANINGLESS = re.compile(r"[\d\s.,+-]*")
"""Labels without words are no names."""


class ClassExamples(NamedTuple):
    """The indices of a class's examples that may be in a support set, and of those that may be queries."""

    name: str
    support: Indices
    query: Indices

    def available(self, shots: int) -> int:
        """Queries that are left after `shots` examples are drawn."""
        if len(self.support) < shots:
            return 0
        return len(self.query) - (shots if self.support is self.query else 0)


class Drawn(NamedTuple):
    """The classes of an episode, and the indices of the support and of the queries of each."""

    classes: list[ClassExamples]
    support: list[Indices]
    query: list[Indices]


class OwnEpisodes(EpisodeSampler):
    """Episodes over examples that are encoded at most once.

    An episode has as many classes and queries as there are, if fewer than were asked for, and equally many of each
    class. Its classes come from one task.

    Args:
        examples: The inputs by index.
        tasks: The classes of each task.
        names: Makes what learners get of the names of classes. None: they get none, since the inputs are no texts.
    """

    def __init__(
        self,
        examples: Callable[[Indices], Any],
        tasks: Sequence[Sequence[ClassExamples]],
        names: Callable[[list[str]], Any] | None = None,
    ) -> None:
        self.examples, self.tasks, self.names = examples, tasks, names
        self.examples_count = sum(len(each.query) for task in tasks for each in task)

    def draw(self, rng: np.random.Generator, shape: Shape) -> Drawn:
        """Draw the examples of an episode. Raises ValueError when no task has two classes of enough examples."""
        usable = self._usable(shape.shots)
        if not usable:
            raise ValueError(f"no task has two classes of {shape.shots + 1} examples or more: give fewer shots")
        classes = usable[rng.integers(len(usable))]
        chosen = [classes[i] for i in rng.permutation(len(classes))[: shape.ways]]
        queries = min(shape.queries, *(each.available(shape.shots) for each in chosen))
        support = [rng.choice(each.support, shape.shots, replace=False) for each in chosen]
        left = [np.setdiff1d(each.query, own) for each, own in zip(chosen, support, strict=True)]
        return Drawn(chosen, support, [rng.choice(each, queries, replace=False) for each in left])

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode, with the names of the classes unless one has no words."""
        classes, support, query = self.draw(rng, shape)
        targets = torch.arange(len(classes))
        inputs, queries = self._inputs(np.concatenate(support), np.concatenate(query))
        names = self._names([each.name for each in classes])
        mask = torch.ones(sum(map(len, support)), dtype=torch.bool)
        learned = Support(inputs, targets.repeat_interleave(len(support[0])), mask, len(classes), names)
        return Episode(learned, queries, targets.repeat_interleave(len(query[0])))

    def fitting(self, shape: Shape) -> Shape | None:
        """The shape with no more ways and queries than there are; None where the shots are too many."""
        usable = self._usable(shape.shots)
        if not usable:
            return None
        ways = min(shape.ways, max(len(classes) for classes in usable))
        most = max(each.available(shape.shots) for classes in usable for each in classes)
        return shape._replace(ways=ways, queries=min(shape.queries, most))

    def _names(self, labels: list[str]) -> Any:
        if self.names is None or any(MEANINGLESS.fullmatch(label) for label in labels):
            return None
        return self.names([plain_words(label) for label in labels])

    def _inputs(self, support: Indices, query: Indices) -> tuple[Any, Any]:
        """The inputs of the support and of the queries."""
        inputs = self.examples(np.concatenate([support, query]))
        return inputs[: len(support)], inputs[len(support) :]

    def _usable(self, shots: int) -> list[list[ClassExamples]]:
        """The classes of each task that have enough examples; tasks with fewer than two are left out."""
        classes = [[each for each in task if each.available(shots) > 0] for task in self.tasks]
        return [each for each in classes if len(each) > 1]


class EncodableEpisodes(OwnEpisodes, EncodableSampler):
    """The same, where each example and each name can be encoded once."""

    def labelled(self) -> tuple[Tensor, Indices]:
        """The examples of the split (n, *input), and the number of the class of each (n,)."""
        members = [each.query for task in self.tasks for each in task]
        classes = np.arange(len(members)).repeat([len(each) for each in members])
        return in_chunks(self.examples, np.concatenate(members)), classes

    def encoded(self, encode: Callable[[Any], Tensor]) -> "EncodableEpisodes":
        """The same episodes with features. Examples and names are encoded when they are first drawn."""
        known: dict[str, Tensor] = {}

        def names(words: list[str]) -> Tensor:
            if new := [each for each in dict.fromkeys(words) if each not in known]:
                known.update(zip(new, encode(new), strict=True))
            return torch.stack([known[each] for each in words])

        return EncodableEpisodes(Encoded(self.examples, encode), self.tasks, self.names and names)


def tasks_of(examples: Sequence[Example], split: str) -> list[list[ClassExamples]]:
    """The classes of each task that have queries in a split; all examples where the split is "all".

    Support comes from the training split for classes that are in it too, else from the split itself.
    """
    members: dict[str, dict[str, dict[str, list[int]]]] = {}
    for i, each in enumerate(examples):
        by_split = members.setdefault(each.task, {}).setdefault(each.label, {})
        by_split.setdefault("all" if split == "all" else each.split, []).append(i)
    found = [
        [_class(name, by_split, split) for name, by_split in sorted(classes.items()) if split in by_split]
        for _, classes in sorted(members.items())
    ]
    return [classes for classes in found if classes]


def _class(name: str, by_split: dict[str, list[int]], split: str) -> ClassExamples:
    query = np.array(by_split[split], dtype=np.intp)
    support = query if split == TRAIN or TRAIN not in by_split else np.array(by_split[TRAIN], dtype=np.intp)
    return ClassExamples(name, support, query)
