"""Why a query is answered as it is: what each example of the support set contributes.

A contrast says which difference of answers is explained, (q, ways): 1 for the answer, -1 for the class after it and 0
for the others, so that the contributions add up to the margin between two logits. For regression it is (q, outputs).

Contributions of examples to a kernel classifier go back to the representer theorem (Yeh et al. 2018, "Representer
Point Selection for Explaining Deep Neural Networks", arXiv:1811.09720). The change when one example is left out is the
influence that Koh and Liang 2017, arXiv:1703.04730, approximate; here the model adapts again, so that it is exact.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.functional import adapt_many, predict_many
from models.learner import Contributions, Learner, Support
from models.losses import at_least_float32

MIN_WAYS = 2
"""Classes of the smallest support set."""
NOTHING = -1
"""The place of an example that is not there: nothing is left out."""


def contrasted(answers: Tensor, contrast: Tensor) -> Tensor:
    """The explained difference (..., q) of answers (..., q, ways). Classes without a contrast may be undefined, and
    standard deviations behind the values are not explained."""
    answers = answers[..., : contrast.shape[-1]]
    return (torch.where(contrast != 0, answers, 0.0) * contrast).sum(-1)


def of_combination(query: Tensor, points: Tensor, duals: Tensor, contrast: Tensor) -> Contributions:
    """Contributions of points (n, d) whose combinations by `duals` (n, ways) are the weights of a linear classifier."""
    weights = query @ points.T * (contrast @ duals.T)
    return Contributions(weights, weights.new_zeros(len(query)))


def of_affine(query: Tensor, points: Tensor, duals: Tensor, contrast: Tensor) -> Contributions:
    """The same for points (n, d + 1) whose last number is a constant, and queries (q, d): the base is the intercept.

    The intercept is made of examples too, but by how many each class has, whatever the query.
    """
    found = of_combination(query, points[:, :-1], duals, contrast)
    return found._replace(base=contrast @ (points[:, -1] @ duals))


def shares(support: Support, like: Tensor) -> Tensor:
    """The share of each example in the mean of its class, (n, ways)."""
    member = F.one_hot(support.targets, support.ways) * support.counts(like).unsqueeze(-1)
    return member / member.sum(0)


def margins_without(learner: Learner, support: Support, query: Tensor, contrast: Tensor, places: Tensor) -> Tensor:
    """The explained difference for each query after adapting without one example, (k, q).

    The only example of a class takes the class with it, unless the head is of fixed size. NaN or infinite where there
    is no difference then, because one of its classes is gone.

    Args:
        learner: The learner.
        support: The encoded support set of one client.
        query: Query features (q, *features).
        contrast: (q, ways).
        places: The example that is left out, for each of k adapts, or `NOTHING`.
    """
    gone = [_class_that_goes(learner, support, place) for place in places.tolist()]
    masked = torch.tensor([each is None for each in gone], device=places.device)
    found = contrast.new_full((len(places), len(query)), torch.nan)
    if masked.any():
        found[masked] = _masked_margins(learner, support, query, contrast, places[masked])
    for row, each in enumerate(gone):
        if each is not None:
            found[row] = _margins_without_class(learner, support, query, contrast, each)
    return found


def _class_that_goes(learner: Learner, support: Support, place: int) -> int | None:
    """The class that goes with an example; None: no class, or the head is of fixed size."""
    if place == NOTHING or not support.ways or learner.max_ways is not None:
        return None
    own = int(support.targets[place])
    return own if int(((support.targets == own) & support.mask).sum()) == 1 else None


def _margins_without_class(learner: Learner, support: Support, query: Tensor, contrast: Tensor, gone: int) -> Tensor:
    """The difference (q,) after adapting without a class; NaN where the class is part of it."""
    missing = contrast.new_full((len(query),), torch.nan)
    defined, kept = contrast[:, gone] == 0, support.targets != gone
    if support.ways <= MIN_WAYS or not defined.any():
        return missing
    others = torch.arange(support.ways, device=kept.device) != gone
    targets = support.targets[kept] - (support.targets[kept] > gone).long()
    names = None if support.names is None else support.names[others]
    weights = None if support.weights is None else support.weights[kept]
    part = Support(support.inputs[kept], targets, support.mask[kept], support.ways - 1, names, weights)
    answers = at_least_float32(learner.predict(learner.adapt(part), query))
    return torch.where(defined, contrasted(answers, contrast[:, others]), missing)


def _masked_margins(learner: Learner, support: Support, query: Tensor, contrast: Tensor, places: Tensor) -> Tensor:
    """The differences (k, q) after adapting without one example, of which others of its class remain."""
    masks = support.mask & (torch.arange(len(support.mask), device=places.device) != places.unsqueeze(1))
    alike = [
        None if each is None else each.expand(len(places), *each.shape)
        for each in (support.inputs, support.targets, support.names, support.weights)
    ]
    inputs, targets, names, weights = alike
    assert inputs is not None
    assert targets is not None
    states = adapt_many(learner, Support(inputs, targets, masks, support.ways, names, weights))
    answers = predict_many(learner, states, query.expand(len(places), *query.shape))
    return contrasted(at_least_float32(answers), contrast)
