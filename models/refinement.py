"""Examples without a label refine what a learner makes of the others.

Ren et al. 2018, "Meta-Learning for Semi-Supervised Few-Shot Classification", arXiv:1803.00676, refine prototypes by
soft k-means. Here the same is done for every learner that weighs its examples. It learns from the labelled examples and
answers the others; then it learns from all, each answer being a label that counts as much as it is probable.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.learner import State, Support

UNLABELLED = -1
"""The target of an example without a label."""
MOST = 0.5
"""What all that are answered with a class count for together at most, as a share of its labelled examples. Chosen on
validation classes (`python -m benchmarks.unlabelled`)."""

Adapt = Callable[[Support], State]
Predict = Callable[[State, Tensor], Tensor]


def refined(supports: Support, adapt: Adapt, predict: Predict, most: float = MOST) -> Support:
    """Support sets with a label and a weight for each example that has none.

    Those that are answered with a class count together for little beside its labelled examples. So a class that
    attracts too many, or inputs of no class, cannot drown what is known.

    Args:
        supports: Encoded support sets, stacked as for `functional.adapt_many`. The target of some examples is
            UNLABELLED; each class has labelled ones.
        adapt: Adapts to stacked support sets.
        predict: Answers queries (clients, q, *features) from stacked states.
        most: As `MOST`.
    """
    known, mask = supports.targets != UNLABELLED, supports.mask
    counts = mask.to(supports.inputs.dtype) if supports.weights is None else supports.weights * mask
    labelled = supports._replace(mask=mask & known, targets=supports.targets.clamp(min=0))
    own = most * _by_class(counts * known, labelled.targets, supports.ways)
    likely, answers = predict(adapt(labelled), supports.inputs).softmax(-1).max(-1)
    guessed = likely.to(counts.dtype) * counts * ~known
    share = (own / _by_class(guessed, answers, supports.ways).clamp(min=1e-9)).clamp(max=1)
    weights = torch.where(known, counts, guessed * share.gather(-1, answers))
    return supports._replace(targets=torch.where(known, supports.targets, answers), weights=weights)


def refined_alone(support: Support, adapt: Adapt, predict: Predict, most: float = MOST) -> Support:
    """The same for one support set, which is not stacked."""
    stacked = support._replace(**dict[str, Any]((name, each.unsqueeze(0)) for name, each in _tensors(support)))
    found = refined(stacked, adapt, predict, most)
    return found._replace(**dict[str, Any]((name, each[0]) for name, each in _tensors(found)))


def _tensors(support: Support) -> list[tuple[str, Tensor]]:
    return [(name, each) for name, each in support._asdict().items() if isinstance(each, Tensor)]


def _by_class(weights: Tensor, targets: Tensor, ways: int) -> Tensor:
    """The sum of weights (clients, n) of each class, (clients, ways)."""
    return (F.one_hot(targets, ways) * weights.unsqueeze(-1)).sum(-2)
