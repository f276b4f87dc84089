"""A head for features of any encoder, which reads from the support set how it should learn from it.

Ridge regression with hyperparameters from a network, after R2-D2: Bertinetto, Henriques, Torr, Vedaldi 2019,
arXiv:1805.08136; statistics of a task as its description: Feurer, Springenberg, Hutter 2015, "Initializing Bayesian
Hyperparameter Optimization via Meta-Learning".
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.functional import class_means
from models.learner import Learner, State, Support
from models.learners.ridge import ridge_regression, with_constant

SHIPPED = Path(__file__).parents[1] / "any_features.safetensors"
"""Written by `python -m benchmarks.any_features`."""
STATISTICS = 6
START = (0.0, math.log(10.0), -2.0)
"""The logarithms of the ridge and of the scale, and the logit of the centring, before training."""


class AnyFeatures(Learner):
    """Ridge regression on directions, whose ridge, scale and centring a network reads from statistics of the support.

    The statistics are cosines between examples and their number, so that one head serves features of any length. They
    do not depend on the order of the examples or of the classes.

    Args:
        encoder: The encoder that all clients share; "identity" for features.
        width: Hidden units of the network.
        trained: Whether to begin with the weights that ship, which were trained on drawings, texts and photos.
    """

    algorithm = "Ridge regression with hyperparameters from the support set"
    paper = "Bertinetto, Henriques, Torr, Vedaldi 2019, arXiv:1805.08136"

    def __init__(self, encoder: Encoder, width: int = 16, *, trained: bool = False) -> None:
        super().__init__()
        self.encoder, self.trained = encoder, trained
        self.read, self.tell = nn.Linear(STATISTICS, width), nn.Linear(width, len(START))
        with torch.no_grad():
            self.tell.weight.zero_()
            self.tell.bias.copy_(torch.tensor(START))
        if trained:
            self.load_state_dict(load_file(SHIPPED), strict=False)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d) of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)

    def adapt(self, support: Support) -> State:
        """The `origin` (d,) of directions, and `weights` (d + 1, ways). The last row is the intercept."""
        ridge, scale, centring = self.tell(self.read(statistics(support)).tanh()).unbind(-1)
        means = class_means(support.inputs, support)
        origin = centring.sigmoid() * means.mean(0)
        points = with_constant(F.normalize(support.inputs - origin, dim=-1)) * support.mask.unsqueeze(-1)
        wanted = F.one_hot(support.targets, support.ways).to(points.dtype) - 1 / support.ways
        values = wanted * support.mask.unsqueeze(-1)
        weights = ridge_regression(points, values, ridge.exp())
        return {"origin": origin.contiguous(), "weights": (weights * scale.exp()).contiguous()}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        return with_constant(F.normalize(query - state["origin"], dim=-1)) @ state["weights"]


def statistics(support: Support) -> Tensor:
    """Six numbers (6,) of about 1: how many classes and examples of each, and how alike examples are within a class and
    beyond."""
    real = support.mask.to(support.inputs.dtype)
    count = real.sum()
    cosines = support.inputs @ support.inputs.T
    same = (support.targets.unsqueeze(0) == support.targets.unsqueeze(1)).to(cosines.dtype)
    pairs = real.unsqueeze(0) * real.unsqueeze(1) * (1 - torch.eye(len(real), dtype=real.dtype, device=real.device))
    within, between = _mean(cosines, pairs * same), _mean(cosines, pairs * (1 - same))
    spread = (_mean(cosines.square(), pairs * (1 - same)) - between.square()).clamp(min=0).add(1e-6).sqrt()
    ways = math.log(support.ways)
    numbers = (
        count.log() - ways,
        count.new_tensor(ways) / 2,
        within,
        between,
        5 * spread,
        (count > support.ways) * 1.0,
    )
    return torch.stack([each.to(count.dtype) for each in numbers])


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; 0 without any weight."""
    return (values * weights).sum() / weights.sum().clamp(min=1.0)
