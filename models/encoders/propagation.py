"""Features of a node from the items of its neighbourhood.

Wu et al. 2019, "Simplifying Graph Convolutional Networks" (SGC), arXiv:1902.07153; the hops are weighted as in Chien et
al. 2021, "Adaptive Universal Generalized PageRank Graph Neural Network" (GPR-GNN), arXiv:2006.07988.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders.base import Encoder

RESTART = 0.2
"""The initial weights are those of a random walk that ends at each hop with this probability."""


class Propagation(Encoder):
    """Counts of the items that random walks from a node meet, of each length with a learned weight.

    It has no weights for items, so that it can be trained on one graph and used on another, with other items.

    Args:
        nodes: Rows of an input.
        slots: Items of a row.
        vocabulary: Number of items, which is the length of a feature vector.
        hops: The longest walk.
        length: Length of all feature vectors, for learners that do not normalise them. None: as counted.
    """

    def __init__(self, nodes: int, slots: int, vocabulary: int, hops: int = 3, length: float | None = None) -> None:
        super().__init__()
        self.length = length
        self.nodes, self.slots, self.feature_dim = nodes, slots, vocabulary
        walks = RESTART * (1 - RESTART) ** torch.arange(hops + 1)
        self.log_weights = nn.Parameter((walks / walks.sum()).log())

    def forward(self, inputs: Tensor) -> Tensor:
        """Neighbourhoods (n, nodes, slots + nodes) to features (n, vocabulary)."""
        items, edges = inputs[..., : self.slots].long(), inputs[..., self.slots :]
        met = self.met(edges.to(self.log_weights.dtype))
        counts = met.new_zeros(inputs.shape[0], self.feature_dim + 1)
        each = met.unsqueeze(-1).expand(items.shape)
        features = counts.scatter_add(1, items.flatten(1), each.flatten(1))[:, 1:]
        return features if self.length is None else self.length * F.normalize(features, dim=-1)

    def met(self, edges: Tensor) -> Tensor:
        """How often walks from the first node end at each node, (n, nodes)."""
        loops = torch.eye(self.nodes, dtype=edges.dtype, device=edges.device)
        steps = edges + loops
        steps = steps / steps.sum(-1, keepdim=True)
        weights, ends = self.log_weights.softmax(0), loops[0].expand(edges.shape[0], -1)
        met = weights[0] * ends
        for weight in weights[1:]:
            ends = (ends.unsqueeze(1) @ steps).squeeze(1)
            met = met + weight * ends
        return met
