"""Logistic regression on frozen features: Tian, Wang, Krishnan, Tenenbaum, Isola 2020.

"Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", arXiv:2003.11539. With another encoder
it is the Baseline of Chen et al. 2019, "A Closer Look at Few-shot Classification", arXiv:1904.04232.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from models import native
from models.encoders import Encoder
from models.explanations import of_affine
from models.learner import Contributions, Learner, State, Support
from models.learners.ridge import with_constant


class Logistic(Learner):
    """Multinomial logistic regression on features of length 1, solved by accelerated gradient descent.

    It minimises the sum of the cross-entropies plus penalty / 2 times the squared weights. Each class has an
    intercept, the weight of a constant feature 1. The paper does not penalise it; the penalty makes the minimum unique
    and keeps the classes equal where nothing tells them apart. The weights start at zero, so any number of classes
    works, and permuting them permutes the answers. The paper trains the encoder to classify all classes at once. The
    default `outer_loss`, through all iterations, works but is slow: take the encoder from another training.

    Args:
        encoder: The encoder that all clients share.
        penalty: Weight of the squared weights; the paper's solver has 1.
        iterations: Steps of the solver.
    """

    algorithm = "Logistic regression on frozen features"
    paper = "Tian, Wang, Krishnan, Tenenbaum, Isola 2020, arXiv:2003.11539"
    several_labels = True
    weighted_examples = True
    explains = "logits"

    def __init__(self, encoder: Encoder, penalty: float = 1.0, iterations: int = 100) -> None:
        super().__init__()
        self.encoder, self.penalty, self.iterations = encoder, penalty, iterations

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d), of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)

    def adapt(self, support: Support) -> State:
        """Weights (d + 1, ways). The last row is the intercept."""
        return {"weights": logistic_regression(*_labelled(support), self.penalty, self.iterations)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"]

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: its product with the query, times its coefficient in the weights.

        The solver starts at zero and adds multiples of the examples, so the weights are a combination of them after
        any number of steps. The base is the intercept.
        """
        points, labels = _labelled(support)
        duals = logistic_coefficients(points, labels, self.penalty, self.iterations)
        return of_affine(query, points, duals, contrast)


def _labelled(support: Support) -> tuple[Tensor, Tensor]:
    """Points (n, d + 1) with a constant, and one-hot labels (n, ways) times the weights. Padding is zeros."""
    labels = F.one_hot(support.targets, support.ways) * support.counts(support.inputs).unsqueeze(-1)
    points = with_constant(support.inputs) * support.mask.unsqueeze(-1)
    return points, labels.to(points.dtype)


def logistic_regression(points: Tensor, labels: Tensor, penalty: float, iterations: int) -> Tensor:
    """Minimise the summed cross-entropy plus penalty / 2 times the squared weights.

    Nesterov's method for strongly convex functions. The cross-entropy of one point curves by at most half of its
    squared length (Boehning 1992), and the penalty by itself. Step size and momentum follow from the points, and each
    iteration shrinks the error by 1 - sqrt(penalty / curvature).

    Args:
        points: (..., n, d). Rows of zeros, here and in `labels`, are padding.
        labels: One-hot, (..., n, ways), each row times the weight of its point.
        penalty: Weight of the squared weights.
        iterations: Steps.

    Returns:
        The weights (..., d, ways). Leading axes are problems of their own.
    """
    with torch.autocast(points.device.type, enabled=False):
        curvature = _curvature(points, labels, penalty)
        if points.shape[-2] >= points.shape[-1]:
            start = points.new_zeros(*points.shape[:-2], points.shape[-1], labels.shape[-1])
            return _descend(
                start,
                partial(torch.matmul, points),
                partial(torch.matmul, points.mT),
                labels,
                penalty,
                curvature,
                iterations,
            )
        # The weights are a combination of the points, whose coefficients are fewer.
        return points.mT @ logistic_coefficients(points, labels, penalty, iterations)


def logistic_coefficients(points: Tensor, labels: Tensor, penalty: float, iterations: int) -> Tensor:
    """The coefficients (..., n, ways) of the points in the weights of `logistic_regression`. Arguments as there."""
    with torch.autocast(points.device.type, enabled=False):
        few = points.shape[-2] < points.shape[-1]
        score = partial(torch.matmul, points @ points.mT) if few else partial(_through_weights, points)
        curvature = _curvature(points, labels, penalty)
        return _descend(torch.zeros_like(labels), score, None, labels, penalty, curvature, iterations)


def _through_weights(points: Tensor, coefficients: Tensor) -> Tensor:
    """The scores (..., n, ways) of points, whose combination by coefficients (..., n, ways) is the weights."""
    return points @ (points.mT @ coefficients)


def _curvature(points: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """An upper bound of the curvature of the loss, (..., 1, 1)."""
    weighted = points.square().sum(-1) * labels.sum(-1)
    return weighted.sum(-1)[..., None, None] / 2 + penalty


def _descend(
    start: Tensor,
    score: Callable[[Tensor], Tensor],
    back: Callable[[Tensor], Tensor] | None,
    labels: Tensor,
    penalty: float,
    curvature: Tensor,
    iterations: int,
) -> Tensor:
    """Nesterov's method from zeros. `score` maps weights to scores (n, ways), and `back` errors (n, ways) to the
    gradient; None: they are the gradient."""
    root = (penalty / curvature).sqrt()
    past, step, shrink = 1 + (1 - root) / (1 + root), -1 / curvature, 1 - penalty / curvature
    weights = ahead = start
    counts, wanted = labels.sum(-1, keepdim=True), -labels
    for _ in range(iterations):  # small operations: most of the time goes between them
        errors = torch.addcmul(wanted, score(ahead).softmax(-1), counts)
        gradient = errors if back is None else back(errors)
        moved = torch.addcmul(ahead * shrink, gradient, step)
        weights, ahead = moved, torch.lerp(weights, moved, past)
    return weights
