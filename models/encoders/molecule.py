"""What is known of a molecule: what assays taught, its fingerprint and its properties."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders.base import Encoder
from models.encoders.mlp import MLP
from models.encoders.molecule_graph import MoleculeGraph

GRAPH_FEATURES = 128
USUAL_LENGTH = 6.0
"""Of the counts of a molecule, on a logarithmic scale."""


class MoleculeEncoder(Encoder):
    """Three parts: learned features, the counts of the fingerprint, and standardised properties. With `atoms`, a part
    before them: learned features of the graph of atoms and bonds.

    What is learned on some assays forgets what they did not need. The other parts keep it for assays of another kind.
    All parts have lengths of about 1. Without `widths` there are no learned features.

    Args:
        bits: Length of the fingerprint, which comes first in an input. The properties come after it.
        centres: The usual value of each property.
        scales: How much each property usually differs from it.
        widths: Outputs of each layer of the network that reads both. The last is the number of learned features. Empty:
            there is no network.
        dropout: Share of the outputs of each layer that are dropped in training.
        atoms: Most atoms of a graph, which comes last in an input. 0: there is no graph.
    """

    centres: Tensor
    scales: Tensor

    def __init__(
        self,
        bits: int,
        centres: list[float],
        scales: list[float],
        widths: list[int],
        dropout: float = 0.0,
        atoms: int = 0,
    ) -> None:
        super().__init__()
        self.bits = bits
        self.body = MLP(bits + len(centres), widths, dropout) if widths else None
        self.graph = MoleculeGraph(atoms, GRAPH_FEATURES) if atoms else None
        self.register_buffer("centres", torch.tensor(centres), persistent=False)
        self.register_buffer("scales", torch.tensor(scales), persistent=False)
        self.feature_dim = sum(self.parts)

    @property
    def parts(self) -> tuple[int, ...]:
        """Numbers of learned features, of places of the fingerprint, and of properties."""
        graph = () if self.graph is None else (GRAPH_FEATURES,)
        learned = () if self.body is None else (self.body.feature_dim,)
        return *graph, *learned, self.bits, len(self.centres)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n, bits + properties + graph) to features (n, sum of the parts)."""
        numbers, graphs = inputs.tensor_split([self.bits + len(self.centres)], 1)
        counts, properties = numbers[:, : self.bits], numbers[:, self.bits :]
        usual = (properties - self.centres) / self.scales / len(self.centres) ** 0.5
        parts = [counts / USUAL_LENGTH, usual]
        if self.body is not None:
            parts.insert(0, F.normalize(self.body(numbers), dim=-1))
        if self.graph is not None:
            parts.insert(0, self.graph(graphs))
        return torch.cat(parts, -1)
