"""What every encoder offers."""

from torch import Tensor, nn


class Encoder(nn.Module):
    """A network from inputs to feature vectors. In `eval()` mode, no input's features depend on the other inputs."""

    feature_dim: int
    """Length of a feature vector."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n, *input) to features (n, feature_dim)."""
        raise NotImplementedError
