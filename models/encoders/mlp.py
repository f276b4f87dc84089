"""A fully connected encoder for vectors."""

from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with ReLU between and after: the 1-40-40 body of the sinusoid regression (Finn et al. 2017)."""

    def __init__(self, inputs: int, widths: list[int]) -> None:
        super().__init__()
        self.features = widths[-1]
        layers = (nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise([inputs, *widths]))
        self.layers = nn.Sequential(*layers)

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (n, inputs) to features (n, widths[-1])."""
        features: Tensor = self.layers(vectors)
        return features
