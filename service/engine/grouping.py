"""Jobs with their features: which of them stack and run together, and what comes out for each."""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.learner import State
from service.arrays import Array, all_finite
from service.engine.batching import bucket
from service.engine.jobs import Adapted, AdaptJob, Kept, PredictJob
from service.errors import Diverged


class Supported(NamedTuple):
    """An adapt, the features (n, *features) of its support set, and those of the names of its classes, if used."""

    job: AdaptJob
    features: Tensor
    names: Tensor | None


Asked = tuple[PredictJob, Tensor]
"""A predict, and the features (q, *features) of its queries."""


def to_tensor(array: Array) -> Tensor:
    """The array as a tensor; a copy if it is read-only, which torch does not know."""
    return torch.from_numpy(np.require(array, requirements="W"))


def joined(known: Tensor | None, new: Tensor | None) -> Tensor:
    """The features of a whole support set."""
    parts = [part for part in (known, new) if part is not None]
    return torch.cat(parts) if len(parts) > 1 else parts[0].clone()


def chosen(whole: Supported, places: Array) -> Supported:
    """Some examples of a support set, of the same classes."""
    support = whole.job.support
    weights = None if support.weights is None else support.weights[places]
    part = support._replace(inputs=support.inputs[:0], targets=support.targets[places], weights=weights)
    return Supported(whole.job._replace(support=part), whole.features[torch.from_numpy(places)], whole.names)


def adapt_key(supported: Supported) -> Hashable:
    """Jobs with as many classes, one or several labels, labels of all or of some, names or none, weights or none, about
    as many examples and features of one shape stack."""
    support, features = supported.job.support, supported.features
    given = supported.names is None, support.weights is None, support.unlabelled > 0
    return support.ways, support.several, bucket(len(features)), features.shape[1:], given


def predict_key(asked: Asked) -> Hashable:
    """Jobs with states of the same shapes, about as many queries, and features of one shape stack."""
    job, features = asked
    shapes = tuple((name, value.shape, value.dtype) for name, value in job.state.items())
    return shapes, bucket(len(features)), features.shape[1:]


def alone(asked: Asked) -> Hashable:
    """A transductive request runs alone and unpadded."""
    return id(asked[0])


def unstacked(states: State, index: int, known: Supported, *, keeps: bool) -> Adapted | Diverged:
    """One job's part of stacked states, in memory of its own, and a copy of it on the host."""
    state = {name: value[index].clone(memory_format=torch.contiguous_format) for name, value in states.items()}
    host = {name: value.cpu().numpy() for name, value in state.items()}
    diverged = next((bad for value in host.values() if isinstance(bad := finite(value), Diverged)), None)
    support = known.job.support
    kept = Kept(state, known.features, support.targets, support.weights) if keeps else Kept(state)
    return diverged or Adapted(host, kept)


def finite(values: Array) -> Array | Diverged:
    """The values, or the error for values that are infinite or undefined."""
    if all_finite(values):
        return values
    return Diverged("These numbers lead beyond the range of arithmetic: are they of a usual size?")
