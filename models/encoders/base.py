"""What every encoder offers."""

from typing import Any

from torch import Tensor, nn


class Encoder(nn.Module):
    """A network from inputs to feature vectors. In `eval()` mode, no input's features depend on the other inputs."""

    feature_dim: int
    """Length of a feature vector."""

    def forward(self, inputs: Any) -> Tensor:
        """Inputs (n, *input), or n texts, to features (n, feature_dim)."""
        raise NotImplementedError
