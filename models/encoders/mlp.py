"""A fully connected encoder for vectors."""

from itertools import pairwise

from torch import Tensor, nn

from models.encoders.base import Encoder


class MLP(Encoder):
    """Linear layers, each followed by ReLU, such as the 1-40-40 body of the sinusoid regression (Finn et al. 2017).

    Args:
        inputs: Length of an input vector.
        widths: Outputs of each layer.
        dropout: Share of the outputs of each layer that are dropped in training.
    """

    def __init__(self, inputs: int, widths: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.feature_dim = widths[-1]
        dropped = [nn.Dropout(dropout)] if dropout else []
        layers = (nn.Sequential(nn.Linear(a, b), nn.ReLU(), *dropped) for a, b in pairwise([inputs, *widths]))
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (n, inputs) to features (n, widths[-1])."""
        features: Tensor = self.layers(inputs)
        return features
