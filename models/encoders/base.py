"""The contract of an encoder."""

from typing import Any, ClassVar

from torch import Tensor, nn


class Encoder(nn.Module):
    """A network from inputs to feature vectors. In `eval()` mode, no input's features depend on the other inputs."""

    feature_dim: int
    """Length of a feature vector."""

    layout_dim: int = 0
    """How many of the features, the last ones, say where in an input something is. They have length 1 together."""

    agrees_in_bfloat16: ClassVar[bool] = False
    """Whether the answers are the same in bfloat16, so that it is used where a device computes in it natively."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Lengths of the parts of a feature vector before the layout, each with a range of its own. By default one."""
        return (self.feature_dim - self.layout_dim,)

    def forward(self, inputs: Any) -> Tensor:
        """Inputs (n, *input), or n texts, to features (n, feature_dim)."""
        raise NotImplementedError
