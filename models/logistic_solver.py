"""Multinomial logistic regression by accelerated gradient descent: one problem, or several on the same points."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def logistic_regression(points: Tensor, labels: Tensor, penalty: float | Tensor, iterations: int) -> Tensor:
    """Minimise the summed cross-entropy plus penalty / 2 times the squared weights.

    Args:
        points: (n, d). Rows of zeros, here and in `labels`, are padding.
        labels: One-hot, (n, ways), each row times the weight of its point.
        penalty: Weight of the squared weights.
        iterations: Steps.

    Returns:
        Weights (d, ways).
    """
    found = logistic_regressions(points, labels.unsqueeze(1), _penalties(penalty, points), iterations)
    return found[:, 0, 0].contiguous()


def logistic_coefficients(points: Tensor, labels: Tensor, penalty: float | Tensor, iterations: int) -> Tensor:
    """The coefficients (n, ways) of the points in the weights of `logistic_regression`, with the same arguments."""
    with torch.autocast(points.device.type, enabled=False):
        found = _coefficients(points, labels.T.unsqueeze(1), _penalties(penalty, points), iterations)
        return found[0, :, 0].T


def logistic_regressions(points: Tensor, labels: Tensor, penalties: Tensor, iterations: int) -> Tensor:
    """Solve several problems on the same points, each with several penalties.

    The products with the points are then one for all problems. All take the steps of the problem with all points, which
    bound the curvature of the others too.

    Args:
        points: (n, d).
        labels: One-hot, (n, problems, ways), each row times the weight of its point: 0 where a problem is without it.
        penalties: Weights of the squared weights, (penalties,).
        iterations: Steps.

    Returns:
        Weights (d, penalties, problems, ways).
    """
    with torch.autocast(points.device.type, enabled=False):
        classes_first = labels.permute(2, 1, 0).contiguous()
        if points.shape[0] < points.shape[1]:  # fewer coefficients than weights
            found = _times(_coefficients(points, classes_first, penalties, iterations), points)
        else:
            step = partial(_times_each, _step(points.T @ (points * _most(classes_first)), penalties))
            score, back = partial(_times, matrix=points.T), partial(_times, matrix=points)
            found = _descend(points.shape[1], score, back, step, classes_first, penalties, iterations)
        return found.permute(3, 0, 2, 1)


# Within, the points come last and the classes before the problems: so the softmax over few classes takes long vectors.


def _penalties(penalty: float | Tensor, points: Tensor) -> Tensor:
    return torch.as_tensor(penalty, dtype=points.dtype, device=points.device).reshape(1)


def _most(labels: Tensor) -> Tensor:
    """The weights (n, 1) of the points in the problem with all of them."""
    return labels.sum(0).amax(0).unsqueeze(1)


def _coefficients(points: Tensor, labels: Tensor, penalties: Tensor, iterations: int) -> Tensor:
    """The coefficients (penalties, ways, problems, n) of the points, for labels (ways, problems, n)."""
    by_points = points.shape[0] < points.shape[1]
    score, step = (_by_points if by_points else _by_weights)(points, _most(labels), penalties)
    return _descend(len(points), score, None, step, labels, penalties, iterations)


def _by_points(points: Tensor, counts: Tensor, penalties: Tensor) -> tuple[Map, Map]:
    """The scores and the step of coefficients, by matrices (n, n)."""
    products = points @ points.T
    return partial(_times, matrix=products), partial(_times_each, _step(counts * products, penalties))


def _by_weights(points: Tensor, counts: Tensor, penalties: Tensor) -> tuple[Map, Map]:
    """The same, by matrices (d, d) only: the matrix inversion lemma (Woodbury 1950)."""
    weighted = points * counts / 2
    inverses = _step(2 * points.T @ weighted, penalties)

    def step(gradient: Tensor) -> Tensor:
        inside = _times_each(inverses, _times(gradient, points))
        return (gradient - _times(inside, weighted.T)) / penalties[:, None, None, None]

    return lambda coefficients: _times(_times(coefficients, points), points.T), step


def _step(squares: Tensor, penalties: Tensor) -> Tensor:
    """The inverses (penalties, m, m) of half of the squares of the points (m, m), plus each penalty: an upper bound of
    the curvature of the loss.

    Boehning, Lindsay 1988, "Monotonicity of quadratic-approximation algorithms". In 64 bits, since the squares of many
    points are large beside the penalty.
    """
    identity = torch.eye(len(squares), dtype=torch.float64, device=squares.device)
    inverses: Tensor = torch.linalg.inv(squares.double() / 2 + penalties.double()[:, None, None] * identity)
    return inverses.to(squares.dtype)


def _times(values: Tensor, matrix: Tensor) -> Tensor:
    """Values (penalties, ways, problems, n) times a matrix (n, m), as one product."""
    return (values.flatten(0, 2) @ matrix).view(*values.shape[:3], -1)


def _times_each(matrices: Tensor, values: Tensor) -> Tensor:
    """Values (penalties, ways, problems, n) times the transpose of a matrix (n, n) for each penalty."""
    return (values.flatten(1, 2) @ matrices.mT).view(values.shape)


def _descend(
    size: int, score: Map, back: Map | None, step: Map, labels: Tensor, penalties: Tensor, iterations: int
) -> Tensor:
    """Nesterov's method from zeros, with a matrix as the size of a step.

    Args:
        size: Numbers of a class in the result (penalties, ways, problems, size).
        score: Maps the result to scores (penalties, ways, problems, n).
        back: Maps errors of this shape to the gradient. None: they are the gradient.
        step: Maps a gradient to a step.
        labels: One-hot (ways, problems, n), times weights.
        penalties: Weights of the squared weights.
        iterations: Steps.
    """
    wanted, penalty = -labels, penalties[:, None, None, None]
    counts = labels.sum(0)
    weights = ahead = labels.new_zeros(len(penalties), *labels.shape[:2], size)
    for i in range(iterations):  # small operations: most of the time goes between them
        errors = torch.addcmul(wanted, score(ahead).softmax(1), counts)
        gradient = errors if back is None else back(errors)
        moved = ahead - step(gradient + penalty * ahead)
        weights, ahead = moved, torch.lerp(weights, moved, 1 + i / (i + 3))
    return weights
