"""Several labels for one example: a logistic regression for each class, on the features of any learner.

One against the rest: whether an example has a class does not depend on its other classes (binary relevance; Tsoumakas
and Katakis 2007). The features are those of the learner's `encode`, scaled to length 1; nothing else of the learner
takes part. The name of a class is one more example of it, and of none of the others, where names help; the gate is that
of `named_logistic.py`. Pure functions, as in `learner.py`; a state of theirs is told by the name of its tensor.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.learner import State, Support
from models.learners.named_logistic import contrast_of, open_gate

WEIGHTS = "one_vs_rest"
"""The name of the tensor of the weights in a state. No learner has it."""
PENALTY, NAME_WEIGHT = 0.02, 2.0
"""Weight of the squared weights, and what a name counts for in examples. Chosen on validation classes
(`benchmarks/several_labels.py`)."""
ITERATIONS = 100


def adapt(support: Support) -> State:
    """The state of a client: weights (d + 1, ways), whose last row is the intercept; with names, what each counts for,
    `names` (ways,).

    Args:
        support: Features (n, d), and as `targets` whether each example has each class, bool (n, ways).
    """
    with torch.autocast(support.inputs.device.type, enabled=False):
        points = _points(support.inputs) * support.mask.unsqueeze(-1)
        labels = (support.targets & support.mask.unsqueeze(-1)).to(points.dtype)
        counts = _balanced(labels, support.mask)
        if support.names is None or support.ways < 2:
            return {WEIGHTS: _fit(points, labels, counts)}
        names = NAME_WEIGHT * _gate(points, labels, support.names).to(points.dtype)
        own = torch.eye(support.ways, dtype=points.dtype, device=points.device)
        points, labels = torch.cat([points, _points(support.names)]), torch.cat([labels, own])
        used = (names > 0).to(points.dtype).unsqueeze(-1)
        counts = torch.cat([counts, used * (1 - own) + own * names])
        return {WEIGHTS: _fit(points, labels, counts), "names": names}


def predict(state: State, query: Tensor) -> Tensor:
    """Logits (q, ways) of query features (q, d). Their sigmoids are independent probabilities."""
    with torch.autocast(query.device.type, enabled=False):
        return _points(query) @ state[WEIGHTS]


def adapt_many(supports: Support) -> State:
    """Adapt a batch of clients, as `functional.adapt_many`."""

    def one(inputs: Tensor, targets: Tensor, mask: Tensor, names: Tensor | None = None) -> State:
        return adapt(Support(inputs, targets, mask, supports.ways, names))

    named = () if supports.names is None else (supports.names,)
    return torch.vmap(one)(supports.inputs, supports.targets, supports.mask, *named)


def predict_many(states: State, queries: Tensor) -> Tensor:
    """Answer query features (clients, q, d), each client's from its own state."""
    return torch.vmap(predict)(states, queries)


def _points(features: Tensor) -> Tensor:
    """Features of length 1 and a constant, (n, d + 1)."""
    return F.pad(F.normalize(features.float(), dim=-1), (0, 1), value=1.0)


def _balanced(labels: Tensor, mask: Tensor) -> Tensor:
    """What each example counts for in the regression of each class, (n, ways): together, those that have the class
    count as much as those that have not. A class is rare among several; unweighted, few answers would have it."""
    number, own = mask.sum(), labels.sum(0)
    with_it, without = number / (2 * own.clamp(min=1)), number / (2 * (number - own).clamp(min=1))
    return torch.where(labels > 0, with_it, without) * mask.unsqueeze(-1)


def _gate(points: Tensor, labels: Tensor, names: Tensor) -> Tensor:
    """Which names are used, bool (ways,)."""
    means = F.normalize(labels.T @ points[:, :-1], dim=-1)
    return open_gate(contrast_of(means, F.normalize(names.float(), dim=-1)))


def _fit(points: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """Minimise the weighted log-loss plus PENALTY / 2 times the squared weights, for each class by itself, (d, ways).

    Nesterov's method. The log-loss of a point curves by at most a quarter of its squared length. The weights are a
    combination of the points, whose coefficients are sought.
    """
    curvature = (points.square().sum(-1, keepdim=True) * counts).sum(0) / 4 + PENALTY
    root = (PENALTY / curvature).sqrt()
    past, step, shrink = 1 + (1 - root) / (1 + root), 1 / curvature, 1 - PENALTY / curvature
    kernel = points @ points.T
    weights = ahead = torch.zeros_like(labels)
    for _ in range(ITERATIONS):
        errors = ((kernel @ ahead).sigmoid() - labels) * counts
        moved = ahead * shrink - errors * step
        weights, ahead = moved, torch.lerp(weights, moved, past)
    return (points.T @ weights).contiguous()
