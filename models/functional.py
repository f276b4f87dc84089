"""Pure functions that learners share: prototypes and distances, and batching over clients."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.learner import Episode, Learner, State, Support
from models.losses import at_least_float32, cross_entropy


def class_means(features: Tensor, support: Support) -> Tensor:
    """Mean feature of each class, (ways, d), of (n, d) support features; padding has no weight."""
    with _exactly(features):
        features = at_least_float32(features)
        member = F.one_hot(support.targets, support.ways).to(features.dtype) * support.mask.unsqueeze(-1)
        return member.T @ features / member.sum(0).unsqueeze(-1)


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared Euclidean distances, (q, ways), of (q, d) points to (ways, d) centres.

    |a|^2 - 2ab + |b|^2 loses the digits that a and b share: so both are first measured from the centres' mean.
    """
    with _exactly(points):
        points, centres = at_least_float32(points), at_least_float32(centres)
        origin = centres.mean(0)
        points, centres = points - origin, centres - origin
        return points.square().sum(-1, keepdim=True) - 2 * points @ centres.T + centres.square().sum(-1)


def all_pairs_loss(logits: Tensor) -> Tensor:
    """The outer loss with every example of an episode in turn as its class's only support, the others as queries.

    One pass through the encoder gives as many episodes as a class has examples (Laenen and Bertinetto 2021,
    arXiv:2012.09831). `logits` (classes, examples, examples, classes): of query v of class c, against support w of
    class k, at [c, v, w, k].
    """
    classes, examples = logits.shape[:2]
    others = ~torch.eye(examples, dtype=torch.bool, device=logits.device)
    targets = torch.arange(classes, device=logits.device)[:, None, None].expand(logits.shape[:3])
    return cross_entropy(logits.flatten(0, 2), targets.flatten(), others.expand(logits.shape[:3]).flatten())


def examples_by_class(episode: Episode) -> Tensor:
    """All inputs of an episode, (ways, shots + queries, *input). It must have equally many examples of each class,
    in the order of the classes, as `tasks` draws them."""
    drawn = (episode.support.inputs, episode.query)
    return torch.cat([inputs.reshape(episode.support.ways, -1, *inputs.shape[1:]) for inputs in drawn], 1)


def adapt_many(learner: Learner, supports: Support) -> State:
    """Adapt a batch of clients in one computation: every tensor of `supports` and of the result leads with an axis
    of clients. All clients have the same number of classes and, under the mask, of examples."""

    def adapt(inputs: Tensor, targets: Tensor, mask: Tensor) -> State:
        return learner.adapt(Support(inputs, targets, mask, supports.ways))

    batch = (supports.inputs, supports.targets, supports.mask)
    if len(supports.inputs) == 1:  # vmap of one costs up to twice the time
        return {name: value.unsqueeze(0) for name, value in adapt(*(one[0] for one in batch)).items()}
    return torch.vmap(adapt)(*batch)


def predict_many(learner: Learner, states: State, queries: Tensor) -> Tensor:
    """Answer the queries (clients, q, *input) of a batch of clients, each from its own state."""
    if len(queries) == 1:
        return learner.predict({name: value[0] for name, value in states.items()}, queries[0]).unsqueeze(0)
    return torch.vmap(learner.predict)(states, queries)


def _exactly(like: Tensor) -> torch.autocast:
    """Autocast off: what an encoder may round, sums of squares may not."""
    return torch.autocast(like.device.type, enabled=False)
