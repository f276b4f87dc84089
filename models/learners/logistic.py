"""Logistic regression on frozen features: Tian, Wang, Krishnan, Tenenbaum, Isola 2020.

"Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", arXiv:2003.11539. With another encoder
it is the Baseline of Chen et al. 2019, "A Closer Look at Few-shot Classification", arXiv:1904.04232.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models import native
from models.encoders import Encoder
from models.learner import Learner, State, Support
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

    def __init__(self, encoder: Encoder, penalty: float = 1.0, iterations: int = 100) -> None:
        super().__init__()
        self.encoder, self.penalty, self.iterations = encoder, penalty, iterations

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d), of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)

    def adapt(self, support: Support) -> State:
        """Weights (d + 1, ways). The last row is the intercept."""
        labels = F.one_hot(support.targets, support.ways) * support.mask.unsqueeze(-1)
        points = with_constant(support.inputs) * support.mask.unsqueeze(-1)
        return {"weights": logistic_regression(points, labels.to(points.dtype), self.penalty, self.iterations)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"]


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
        weighted = points.square().sum(-1) * labels.sum(-1)
        curvature = weighted.sum(-1)[..., None, None] / 2 + penalty
        if points.shape[-2] >= points.shape[-1]:
            return _descend(points, points.mT, labels, penalty, curvature, iterations)
        # The weights are a combination of the points, whose coefficients are fewer.
        return points.mT @ _descend(points @ points.mT, None, labels, penalty, curvature, iterations)


def _descend(
    points: Tensor, back: Tensor | None, labels: Tensor, penalty: float, curvature: Tensor, iterations: int
) -> Tensor:
    """Nesterov's method. `back` maps the errors (n, ways) to the gradient; None: they are the gradient."""
    root = (penalty / curvature).sqrt()
    past, step, shrink = 1 + (1 - root) / (1 + root), -1 / curvature, 1 - penalty / curvature
    weights = ahead = points.new_zeros(*points.shape[:-2], points.shape[-1], labels.shape[-1])
    counts, wanted = labels.sum(-1, keepdim=True), -labels
    for _ in range(iterations):  # small operations: most of the time goes between them
        errors = torch.addcmul(wanted, (points @ ahead).softmax(-1), counts)
        gradient = errors if back is None else back @ errors
        moved = torch.addcmul(ahead * shrink, gradient, step)
        weights, ahead = moved, torch.lerp(weights, moved, past)
    return weights
