"""Pure functions that learners share: prototypes and distances, and batching over clients."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.learner import Episode, Learner, State, Support
from models.losses import at_least_float32, cross_entropy


def class_means(features: Tensor, support: Support) -> Tensor:
    """The weighted mean of each class, (ways, d), of support features (n, d). Padding has no weight."""
    with _exactly(features):
        features = at_least_float32(features)
        member = F.one_hot(support.targets, support.ways) * support.counts(features).unsqueeze(-1)
        return member.T @ features / member.sum(0).unsqueeze(-1)


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared Euclidean distances (q, ways) from points (q, d) to centres (ways, d).

    |a|^2 - 2ab + |b|^2 loses the digits that a and b share, so the mean of the centres is subtracted from both first.
    """
    with _exactly(points):
        points, centres = at_least_float32(points), at_least_float32(centres)
        origin = centres.mean(0)
        points, centres = points - origin, centres - origin
        return points.square().sum(-1, keepdim=True) - 2 * points @ centres.T + centres.square().sum(-1)


def all_pairs_loss(logits: Tensor) -> Tensor:
    """The outer loss of all 1-shot episodes in an episode: each example in turn is the support of its class.

    One pass through the encoder gives as many episodes as a class has examples (Laenen and Bertinetto 2021,
    arXiv:2012.09831).

    Args:
        logits: (classes, examples, examples, classes); [c, v, w, k] is the logit of query v of class c for class k,
            whose support is its example w.
    """
    classes, examples = logits.shape[:2]
    others = ~torch.eye(examples, dtype=torch.bool, device=logits.device)
    targets = torch.arange(classes, device=logits.device)[:, None, None].expand(logits.shape[:3])
    return cross_entropy(logits.flatten(0, 2), targets.flatten(), others.expand(logits.shape[:3]).flatten())


def examples_by_class(episode: Episode) -> Tensor:
    """All inputs of an episode, (ways, shots + queries, *input).

    The episode must have the same number of examples of each class, sorted by class, as the datasets draw them.
    """
    drawn = (episode.support.inputs, episode.query)
    return torch.cat([inputs.reshape(episode.support.ways, -1, *inputs.shape[1:]) for inputs in drawn], 1)


ENCODE_CHUNK = 256
"""Inputs that are encoded at once: bounds the memory of activations, at a size where a larger one is no faster."""


def encode_many(learner: Learner, inputs: Any, chunk: int = ENCODE_CHUNK) -> Tensor:
    """Encode a flat batch of inputs (n, *input), or n texts, of any number of clients, to features (n, *features).

    Args:
        chunk: At most so many inputs are encoded at once, which bounds the memory that this takes.
    """
    if len(inputs) <= chunk or type(learner).encode is Learner.encode:
        return learner.encode(inputs)
    return torch.cat([learner.encode(inputs[i : i + chunk]) for i in range(0, len(inputs), chunk)])


def adapt_many(learner: Learner, supports: Support) -> State:
    """Adapt a batch of clients in one computation.

    Args:
        supports: Encoded support sets, stacked: each tensor leads with an axis of clients. All clients have the same
            number of classes and, under the mask, of examples.

    Returns:
        Their states, stacked in the same way.
    """

    def adapt(given: dict[str, Tensor]) -> State:
        return learner.adapt(Support(ways=supports.ways, **given))

    batch = {name: each for name, each in supports._asdict().items() if isinstance(each, Tensor)}
    if len(supports.inputs) == 1:  # vmap over one client takes up to twice the time
        return {name: value.unsqueeze(0) for name, value in adapt({k: each[0] for k, each in batch.items()}).items()}
    return torch.vmap(adapt)(batch)


def predict_many(learner: Learner, states: State, queries: Tensor) -> Tensor:
    """Answer query features (clients, q, *features), each client's from its own state."""
    if len(queries) == 1:
        return learner.predict({name: value[0] for name, value in states.items()}, queries[0]).unsqueeze(0)
    return torch.vmap(learner.predict)(states, queries)


def _exactly(like: Tensor) -> torch.autocast:
    """Autocast off: sums of squares need more digits than an encoder does."""
    return torch.autocast(like.device.type, enabled=False)
