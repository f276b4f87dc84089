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

Map = Callable[[Tensor], Tensor]


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

    def __init__(self, encoder: Encoder, penalty: float = 1.0, iterations: int = 50) -> None:
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


def logistic_regression(points: Tensor, labels: Tensor, penalty: float | Tensor, iterations: int) -> Tensor:
    """Minimise the summed cross-entropy plus penalty / 2 times the squared weights.

    Arguments as for `logistic_coefficients`, of which there are fewer than weights where points are few. Returns the
    weights (..., d, ways).
    """
    with torch.autocast(points.device.type, enabled=False):
        if points.shape[-2] < points.shape[-1]:
            return points.mT @ logistic_coefficients(points, labels, penalty, iterations)
        squares = points.mT @ (points * labels.sum(-1, keepdim=True))
        start = labels.new_zeros(*labels.shape[:-2], points.shape[-1], labels.shape[-1])
        score, back, step = (partial(torch.matmul, each) for each in (points, points.mT, _step(squares, penalty)))
        return _descend(start, score, back, step, labels, penalty, iterations)


def logistic_coefficients(points: Tensor, labels: Tensor, penalty: float | Tensor, iterations: int) -> Tensor:
    """The coefficients (..., n, ways) of the points in the weights of `logistic_regression`.

    Args:
        points: (..., n, d). Rows of zeros, here and in `labels`, are padding. Leading axes are problems of their own.
        labels: One-hot, (..., n, ways), each row times the weight of its point.
        penalty: Weight of the squared weights, one or one for each problem.
        iterations: Steps.
    """
    with torch.autocast(points.device.type, enabled=False):
        score, step = (_by_points if points.shape[-2] < points.shape[-1] else _by_weights)(points, labels, penalty)
        return _descend(torch.zeros_like(labels), score, None, step, labels, penalty, iterations)


def _by_points(points: Tensor, labels: Tensor, penalty: float | Tensor) -> tuple[Map, Map]:
    """The scores and the step of coefficients, by matrices (n, n)."""
    products = points @ points.mT
    step = _step(labels.sum(-1, keepdim=True) * products, penalty)
    return partial(torch.matmul, products), partial(torch.matmul, step)


def _by_weights(points: Tensor, labels: Tensor, penalty: float | Tensor) -> tuple[Map, Map]:
    """The same, by matrices (d, d) only: the matrix inversion lemma (Woodbury 1950)."""
    weighted = points * labels.sum(-1, keepdim=True) / 2
    inverse = _step(2 * points.mT @ weighted, penalty)

    def step(gradient: Tensor) -> Tensor:
        return (gradient - weighted @ (inverse @ (points.mT @ gradient))) / penalty

    return lambda coefficients: points @ (points.mT @ coefficients), step


def _step(squares: Tensor, penalty: float | Tensor) -> Tensor:
    """The inverse of half of the squares of the points, plus the penalty: an upper bound of the curvature of the loss.

    Boehning, Lindsay 1988, "Monotonicity of quadratic-approximation algorithms". In 64 bits, since the squares of many
    points are large beside the penalty.
    """
    identity = torch.eye(squares.shape[-1], dtype=torch.float64, device=squares.device)
    inverse: Tensor = torch.linalg.inv(squares.double() / 2 + penalty * identity)
    return inverse.to(squares.dtype)


def _descend(
    start: Tensor,
    score: Map,
    back: Map | None,
    step: Map,
    labels: Tensor,
    penalty: float | Tensor,
    iterations: int,
) -> Tensor:
    """Nesterov's method from zeros, with a matrix as the size of a step.

    Args:
        start: Zeros, in the shape of the result.
        score: Maps the result to scores (..., n, ways).
        back: Maps errors (..., n, ways) to the gradient. None: they are the gradient.
        step: Maps a gradient to a step.
        labels: One-hot (..., n, ways), times weights.
        penalty: Weight of the squared weights.
        iterations: Steps.
    """
    weights = ahead = start
    counts, wanted = labels.sum(-1, keepdim=True), -labels
    for i in range(iterations):  # small operations: most of the time goes between them
        errors = torch.addcmul(wanted, score(ahead).softmax(-1), counts)
        gradient = errors if back is None else back(errors)
        moved = ahead - step(gradient + penalty * ahead)
        weights, ahead = moved, torch.lerp(weights, moved, 1 + i / (i + 3))
    return weights
