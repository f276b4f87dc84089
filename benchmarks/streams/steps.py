"""Streams: what comes at each step, and what is asked then."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.learner import Learner

TAUGHT, QUERIES = 10, 10
"""Examples and queries of each class at a step."""


class Groups(NamedTuple):
    """Features of classes in groups, such as the characters of alphabets.

    taught, tested  (groups, members, examples, d)
    """

    learner: Learner
    taught: Tensor
    tested: Tensor


class Step(NamedTuple):
    """What comes at a step: features and labels, and the tests: those of this step and those of all steps so far."""

    features: Tensor
    labels: Tensor
    now: tuple[Tensor, Tensor]
    so_far: list[tuple[Tensor, Tensor]]


def new_classes(groups: Groups) -> list[Step]:
    """Each group brings classes of its own."""
    members = groups.taught.shape[1]
    return _steps(groups.taught, groups.tested, lambda step: torch.arange(members) + step * members)


def new_meanings(groups: Groups) -> list[Step]:
    """Each group gives the same labels to its own classes."""
    return _steps(groups.taught, groups.tested, lambda _: torch.arange(groups.taught.shape[1]))


def drifting_classes(groups: Groups) -> list[Step]:
    """A group is one class, and its members come in turn."""
    return _steps(
        groups.taught.transpose(0, 1), groups.tested.transpose(0, 1), lambda _: torch.arange(len(groups.taught))
    )


STREAMS: Mapping[str, Callable[[Groups], list[Step]]] = {
    "new classes": new_classes,
    "new meanings": new_meanings,
    "drifting classes": drifting_classes,
}


def _steps(taught: Tensor, tested: Tensor, labels: Callable[[int], Tensor]) -> list[Step]:
    steps, asked = list[Step](), list[tuple[Tensor, Tensor]]()
    for step in range(len(taught)):
        own = labels(step)
        given = own.repeat_interleave(taught.shape[2])
        now = tested[step].flatten(0, 1), own.repeat_interleave(tested.shape[2])
        asked = [*asked, now]
        steps.append(Step(taught[step].flatten(0, 1), given, now, asked))
    return steps


def groups_of(learner: Learner, features: Tensor, seed: int) -> Groups:
    """The groups, their members and the examples of each in an order of their own."""
    rng = np.random.default_rng(seed)
    features = features[torch.from_numpy(rng.permutation(len(features)))]
    features = features[:, torch.from_numpy(rng.permutation(features.shape[1]))]
    features = features[:, :, torch.from_numpy(rng.permutation(features.shape[2]))]
    return Groups(learner, features[:, :, :TAUGHT], features[:, :, TAUGHT : TAUGHT + QUERIES])
