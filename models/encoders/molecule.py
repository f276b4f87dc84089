"""What is known of a molecule: what assays taught, its fingerprint and its properties."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders.base import Encoder
from models.encoders.mlp import MLP

USUAL_LENGTH = 6.0
"""Of the counts of a molecule, on a logarithmic scale."""


class MoleculeEncoder(Encoder):
    """Three parts: learned features, the counts of the fingerprint, and standardised properties.

    What is learned on some assays forgets what they did not need. The other parts keep it for assays of another kind.
    All parts have lengths of about 1. Without `widths` there are no learned features.

    Args:
        bits: Length of the fingerprint, which comes first in an input. The properties come after it.
        centres: The usual value of each property.
        scales: How much each property usually differs from it.
        widths: Outputs of each layer of the network that reads both. The last is the number of learned features. Empty:
            there is no network.
        dropout: Share of the outputs of each layer that are dropped in training.
    """

    centres: Tensor
    scales: Tensor

    def __init__(
        self, bits: int, centres: list[float], scales: list[float], widths: list[int], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.bits = bits
        self.body = MLP(bits + len(centres), widths, dropout) if widths else None
        self.register_buffer("centres", torch.tensor(centres), persistent=False)
        self.register_buffer("scales", torch.tensor(scales), persistent=False)
        self.feature_dim = sum(self.parts)

    @property
    def parts(self) -> tuple[int, ...]:
        """Numbers of learned features, of places of the fingerprint, and of properties."""
        learned = () if self.body is None else (self.body.feature_dim,)
        return *learned, self.bits, len(self.centres)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n, bits + properties) to features (n, learned + bits + properties)."""
        counts, properties = inputs[:, : self.bits], inputs[:, self.bits :]
        usual = (properties - self.centres) / self.scales / len(self.centres) ** 0.5
        learned = [] if self.body is None else [F.normalize(self.body(inputs), dim=-1)]
        return torch.cat([*learned, counts / USUAL_LENGTH, usual], -1)
