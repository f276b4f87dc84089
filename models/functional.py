"""Pure functions that learners and trainings share: masked losses, the inner loop, and batching over clients."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from models.learner import Kind, Learner, State, Support

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of (n, ways) logits over the unmasked examples."""
    return _masked_mean(F.cross_entropy(logits, targets, reduction="none"), mask)


def squared_error(values: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of (n, outputs) values over the unmasked examples, without a factor 1/2."""
    return _masked_mean((values - targets).square().mean(-1), mask)


LOSSES: dict[Kind, Loss] = {Kind.CLASSIFICATION: cross_entropy, Kind.REGRESSION: squared_error}


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


def gradient_steps(
    loss: Callable[[State], Tensor], params: State, rate: float, steps: int, *, first_order: bool
) -> State:
    """The inner loop: `steps` of plain gradient descent on `loss` from `params`, which stay as they are.

    The result is differentiable with respect to `params` through the steps, unless `first_order` treats every
    gradient as a constant (FOMAML).
    """
    for _ in range(steps):
        gradients = torch.func.grad(loss)(params)
        if first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        params = {name: value - rate * gradients[name] for name, value in params.items()}
    return params


def adapt_many(learner: Learner, supports: Support) -> State:
    """Adapt a batch of clients in one computation: every tensor of `supports` and of the result leads with an axis
    of clients. All clients have the same number of classes and, under the mask, of examples."""

    def adapt(inputs: Tensor, targets: Tensor, mask: Tensor) -> State:
        return learner.adapt(Support(inputs, targets, mask, supports.ways))

    return torch.vmap(adapt)(supports.inputs, supports.targets, supports.mask)


def predict_many(learner: Learner, states: State, queries: Tensor) -> Tensor:
    """Answer the queries (clients, q, *input) of a batch of clients, each from its own state."""
    return torch.vmap(learner.predict)(states, queries)


def _exactly(like: Tensor) -> torch.autocast:
    """Autocast off: what an encoder may round, sums of squares may not."""
    return torch.autocast(like.device.type, enabled=False)


def at_least_float32(values: Tensor) -> Tensor:
    """Rounded encodings as numbers to reckon with; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum()
