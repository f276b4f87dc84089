"""An encoder: a linear map of the magnitudes of a spectrum, which do not depend on the phase."""

import torch
from torch import Tensor, nn

from models.encoders import Encoder


class Spectrum(Encoder):
    """Series (n, length) to features (n, width)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.feature_dim = width
        self.layer = nn.Linear(length // 2 + 1, width)

    def forward(self, series: Tensor) -> Tensor:
        """The features of each series."""
        features: Tensor = self.layer(torch.fft.rfft(series).abs() / series.shape[-1])
        return features
