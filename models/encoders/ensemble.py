"""An ensemble of residual encoders for drawings, each of which sees the image in a size of its own."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders.base import Encoder
from models.encoders.resnet import ResNet


class Ensemble(Encoder):
    """The features of all members side by side, so that a cosine is the weighted mean of theirs.

    Args:
        size: Pixels of an image along one side.
        sizes: The same of each member's images.
        scales: The length of each member's features. Squared, it is the member's share in a cosine.
    """

    def __init__(self, size: int, sizes: Sequence[int], scales: Sequence[float]) -> None:
        super().__init__()
        self.members, self.scales = nn.ModuleList(ResNet() for _ in sizes), tuple(scales)
        self.resizes = nn.ModuleList(nn.Identity() if each == size else Resize(size, each) for each in sizes)
        self.feature_dim = sum(member.feature_dim for member in self.members)  # type: ignore[misc]  # all are encoders

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (n, 1, size, size), ink 1 and paper 0, to features (n, feature_dim)."""
        parts = zip(self.members, self.resizes, self.scales, strict=True)
        return torch.cat([scale * F.normalize(member(resize(inputs)), dim=-1) for member, resize, scale in parts], -1)


class Resize(nn.Module):
    """Bilinear resizing of square images, smoothed where they shrink. Two products of matrices, which every exporter
    and `vmap` know.

    Args:
        before: Pixels along one side.
        after: The same, after it.
    """

    rows: Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        identity = torch.eye(before)[None, None]
        rows = F.interpolate(identity, (after, before), mode="bilinear", antialias=True)[0, 0]
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, channels, before, before) to (n, channels, after, after)."""
        return self.rows @ images @ self.rows.T
