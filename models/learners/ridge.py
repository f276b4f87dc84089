"""R2-D2: Bertinetto, Henriques, Torr, Vedaldi 2019, "Meta-learning with differentiable closed-form solvers".

arXiv:1805.08136
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.explanations import of_affine
from models.learner import Contributions, Kind, Learner, State, Support


class Ridge(Learner):
    """A linear head by ridge regression of one-hot labels, or of values, on the features. Any number of classes.

    The ridge and the scale of the logits are learned, as in the paper. The paper shifts the answers by one learned
    number, which changes no softmax; here each class has an intercept, the weight of a constant feature 1, which is
    shrunk like the others.

    Args:
        encoder: The encoder that all clients share.
        kind: "classification" or "regression".
        ridge: Initial ridge. It does not depend on the number of examples.
        scale: Initial scale of the answers.
        normalised: Normalise features to length 1, so that one ridge suits encoders of any range.
    """

    algorithm = "Ridge regression head (R2-D2)"
    paper = "Bertinetto, Henriques, Torr, Vedaldi 2019, arXiv:1805.08136"
    weighted_examples = True
    explains = "logits"

    def __init__(
        self,
        encoder: Encoder,
        kind: str = Kind.CLASSIFICATION,
        ridge: float = 1.0,
        scale: float = 1.0,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        self.kind, self.normalised = Kind(kind), normalised
        self.several_labels = self.kind is Kind.CLASSIFICATION
        self.encoder = encoder
        self.log_ridge = nn.Parameter(torch.tensor(math.log(ridge)))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d), of length 1 if `normalised`."""
        features = native.encode(self.encoder, inputs)
        return F.normalize(features, dim=-1) if self.normalised else features

    def adapt(self, support: Support) -> State:
        """Weights (d + 1, ways), or (d + 1, outputs) for regression. The last row is the intercept."""
        return {"weights": ridge_regression(*self._system(support))}

    def _system(self, support: Support) -> tuple[Tensor, Tensor, Tensor]:
        """The points (n, d + 1) and their values (n, ways or outputs), each times the root of its weight; the ridge."""
        points = with_constant(support.inputs)
        values = F.one_hot(support.targets, support.ways) if support.ways else support.targets
        roots = support.counts(points).sqrt().unsqueeze(-1)
        return points * roots, values.to(points.dtype) * roots, self.log_ridge.exp()

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled scores of the classes (q, ways), or values (q, outputs)."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"] * self.log_scale.exp()

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: its product with the query, times its coefficient in the weights.

        The weights are a combination of the examples (representer theorem), so the answer is a sum over the examples
        and an intercept, which is the base.
        """
        system = self._system(support)
        duals = ridge_coefficients(*system) * self.log_scale.exp()
        return of_affine(query, system[0], duals, contrast)


def with_constant(features: Tensor) -> Tensor:
    """Features (n, d) and a constant 1, (n, d + 1). The weight of the constant is the intercept."""
    return F.pad(features, (0, 1), value=1.0)


def ridge_regression(points: Tensor, values: Tensor, ridge: Tensor) -> Tensor:
    """The W (d, outputs) that minimises |X W - Y|^2 + ridge |W|^2, for points X (n, d) and values Y (n, outputs).

    Woodbury's identity gives a system of n or of d unknowns; the smaller one is solved.
    """
    with torch.autocast(points.device.type, enabled=False):
        if len(points) < points.shape[1]:
            return points.T @ _solve(points @ points.T, values, ridge)
        return _solve(points.T @ points, points.T @ values, ridge)


def ridge_coefficients(points: Tensor, values: Tensor, ridge: Tensor) -> Tensor:
    """The A (n, outputs) for which `ridge_regression` is X^T A. Arguments as there."""
    with torch.autocast(points.device.type, enabled=False):
        if len(points) < points.shape[1]:
            return _solve(points @ points.T, values, ridge)
        return (values - points @ ridge_regression(points, values, ridge)) / ridge


def _solve(gram: Tensor, values: Tensor, ridge: Tensor) -> Tensor:
    """Solve without checks. An overflow gives NaN and fails one client; an error would fail the whole batch."""
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    solution: Tensor = torch.linalg.solve_ex(gram + ridge * identity, values).result
    return solution.contiguous()
