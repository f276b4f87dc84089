"""Logistic regression on frozen features: Tian, Wang, Krishnan, Tenenbaum, Isola 2020.

"Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", arXiv:2003.11539; with another encoder
it is the Baseline of Chen et al. 2019, "A Closer Look at Few-shot Classification", arXiv:1904.04232.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders import Encoder
from models.learner import Learner, State, Support
from models.losses import at_least_float32


class Logistic(Learner):
    """Multinomial logistic regression on features of length 1, found by accelerated gradient descent.

    It minimises the SUM of the cross-entropies plus penalty / 2 times the squared weights: the paper's solver has
    penalty 1. Each class has an intercept, the weight of a feature that is always 1, which the paper does not
    penalise: penalised, it makes the minimum unique, and the classes are equal where nothing speaks for any.
    The weights begin at zero, so any number of classes will do, and renaming them renames the answers.
    The paper trains the encoder to tell all classes apart at once. `outer_loss` is the default, through the `steps` of
    the descent, which works but is slow: take the encoder from another training.
    """

    algorithm = "Logistic regression on frozen features"
    paper = "Tian, Wang, Krishnan, Tenenbaum, Isola 2020, arXiv:2003.11539"

    def __init__(self, encoder: Encoder, penalty: float = 1.0, steps: int = 100) -> None:
        super().__init__()
        self.encoder, self.penalty, self.steps = encoder, penalty, steps

    def adapt(self, support: Support) -> State:
        """Weights (d + 1, ways); the last row is the intercept."""
        labels = F.one_hot(support.targets, support.ways) * support.mask.unsqueeze(-1)
        points = self.points(support.inputs) * support.mask.unsqueeze(-1)
        return {"weights": logistic_regression(points, labels.to(points.dtype), self.penalty, self.steps)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        points = self.points(query)
        with torch.autocast(points.device.type, enabled=False):
            return points @ state["weights"]

    def points(self, inputs: Tensor) -> Tensor:
        """Features of length 1 with a 1 behind them, (n, d + 1)."""
        return F.pad(F.normalize(at_least_float32(self.encoder(inputs)), dim=-1), (0, 1), value=1.0)


def logistic_regression(points: Tensor, labels: Tensor, penalty: float, steps: int) -> Tensor:
    """The weights (d, ways) that minimise the summed cross-entropy of `points` (n, d) with one-hot `labels` (n, ways),
    plus penalty / 2 times their squares. Rows of zeros in both are padding.

    Nesterov's method for what is strongly convex. The cross-entropy of one point curves by at most half of its squared
    length (Boehning 1992), the penalty by itself: so rate and momentum follow from the points, and what is left of the
    error shrinks by 1 - sqrt(penalty / curvature) a step.
    """
    with torch.autocast(points.device.type, enabled=False):
        curvature = points.square().sum() / 2 + penalty
        root = (penalty / curvature).sqrt()
        momentum = (1 - root) / (1 + root)
        weights = ahead = points.new_zeros(points.shape[1], labels.shape[1])
        for _ in range(steps):
            errors = (points @ ahead).softmax(-1) * labels.sum(-1, keepdim=True) - labels
            moved = ahead - (points.T @ errors + penalty * ahead) / curvature
            weights, ahead = moved, moved + momentum * (moved - weights)
        return weights
