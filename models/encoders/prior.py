"""A Gaussian prior of linear models, learned from related tasks.

Empirical Bayes: Efron 2010, "Large-Scale Inference", chapter 1; over tasks: Denevi, Ciliberto, Stamos, Pontil 2018,
arXiv:1803.08089.
"""

import torch
from torch import Tensor, nn

from models.encoders.base import Encoder


class Prior(Encoder):
    """Features on which shrinking weights to zero is a Gaussian prior of the weights of the inputs.

    The first feature is the score of a direction that tasks share; the others are the inputs, scaled. A ridge on the
    features is a prior with the covariance u u' + diag(s^2): a task can use the shared direction freely, in either
    sign, and leaves it where its own examples say so. NaN marks a missing number, which counts as the centre.

    Args:
        centres: The usual value of each input.
        scales: How much each input usually differs from it.
        shared: Number of shared directions.
    """

    centres: Tensor
    scales: Tensor

    def __init__(self, centres: list[float], scales: list[float], shared: int = 1) -> None:
        super().__init__()
        self.feature_dim = shared + len(centres)
        self.register_buffer("centres", torch.tensor(centres))
        self.register_buffer("scales", torch.tensor(scales))
        self.directions = nn.Parameter(0.05 * torch.randn(len(centres), shared))
        self.own = nn.Parameter(torch.full((len(centres),), 0.3))

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n, d) to features (n, shared + d)."""
        numbers = (inputs - self.centres) / self.scales
        known = torch.where(numbers.isnan(), 0.0, numbers)
        return torch.cat([known @ self.directions, known * self.own], -1)
