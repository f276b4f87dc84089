"""Logistic regression on frozen features: Tian, Wang, Krishnan, Tenenbaum, Isola 2020.

"Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", arXiv:2003.11539. With another encoder
it is the Baseline of Chen et al. 2019, "A Closer Look at Few-shot Classification", arXiv:1904.04232.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models import native
from models.encoders import Encoder
from models.explanations import of_affine
from models.learner import Contributions, Learner, State, Support
from models.learners.ridge import with_constant
from models.logistic_solver import logistic_coefficients, logistic_regression


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
