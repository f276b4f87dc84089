"""A learner: the class with the largest kernel density at the query (Parzen 1962)."""

import math

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Learner, State, Support


class KernelDensity(Learner):
    """The density of a class is the mean of Gaussian kernels at its examples; the bandwidth is meta-learned."""

    algorithm = "Kernel density"
    paper = "Parzen 1962, Annals of Mathematical Statistics 33(3)"

    def __init__(self, encoder: Encoder, bandwidth: float = 1.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_bandwidth = nn.Parameter(torch.tensor(math.log(bandwidth)))

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d) from the encoder, which all clients share."""
        features: Tensor = self.encoder(inputs)
        return features

    def adapt(self, support: Support) -> State:
        """Keep the features (n, d), and the weights (n, ways) of the examples in the density of each class."""
        classes = torch.arange(support.ways, device=support.targets.device)
        members = (support.targets.unsqueeze(1) == classes) & support.mask.unsqueeze(1)
        ones = members.to(support.inputs.dtype)
        return {"features": support.inputs.clone(), "weights": ones / ones.sum(0).clamp(min=1)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """The logarithm of the density of each class at each query, (q, ways), up to a constant."""
        distances = (query.unsqueeze(1) - state["features"]).square().sum(-1)
        kernels = -distances / (2 * self.log_bandwidth.exp().square())
        return torch.logsumexp(kernels.unsqueeze(-1) + state["weights"].log(), dim=1)
