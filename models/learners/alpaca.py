"""ALPaCA: Harrison, Sharma, Pavone 2018, "Meta-Learning Priors for Efficient Online Bayesian Regression".

arXiv:1807.08912
"""

import math

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Kind, Learner, State, Support
from models.learners.ridge import ridge_regression, with_constant


class ALPaCA(Learner):
    """Bayesian linear regression on the features of an encoder, with a learned prior of its weights.

    The answer is the posterior mean. The prior has a mean and a covariance F F'; so the weights are the mean plus a
    ridge regression of what the mean leaves, on the features times F. The ridge is the variance of the noise (equation
    5 of the paper). Unlike there, the loss is the squared error.

    Args:
        encoder: The encoder that all clients share.
        features: Length of its features.
        outputs: Numbers in one answer.
        noise: Initial variance of the noise.
        spread: Initial standard deviation of the weights.
    """

    algorithm = "Bayesian linear regression with a learned prior (ALPaCA)"
    paper = "Harrison, Sharma, Pavone 2018, arXiv:1807.08912"
    kind = Kind.REGRESSION

    def __init__(
        self, encoder: Encoder, features: int, outputs: int = 1, noise: float = 1.0, spread: float = 0.3
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.mean = nn.Parameter(torch.zeros(features + 1, outputs))
        self.factor = nn.Parameter(spread * torch.eye(features + 1))
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)))

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        features: Tensor = self.encoder(inputs)
        return features

    def adapt(self, support: Support) -> State:
        """The posterior mean of the weights (d + 1, outputs). The last row is the intercept."""
        with torch.autocast(support.inputs.device.type, enabled=False):
            seen = support.mask.unsqueeze(-1)
            points = with_constant(support.inputs)
            left = torch.where(seen, support.targets - points @ self.mean, 0.0)
            change = ridge_regression(points @ self.factor * seen, left, self.log_noise.exp())
            return {"weights": (self.mean + self.factor @ change).contiguous()}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Values (q, outputs)."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"]
