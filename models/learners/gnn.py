"""Graph networks for few examples: Garcia and Bruna 2018, "Few-Shot Learning with Graph Neural Networks".

arXiv:1711.04043
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.chunks import in_chunks
from models.encoders import Encoder
from models.learner import Learner, State, Support

QUERIES_AT_ONCE = 4
"""Queries per pass. Their pairs of nodes fit the caches, which halves the time."""


class GraphNet(Learner):
    """The support and one query are the nodes of a graph that learns its edges; the query's node gives the answer.

    A node is an embedding and a one-hot label, zeros for the query, as in the authors' code; the paper has a uniform
    label (section 4.1). Each query has its own graph, so no query sees another. Every round but the last adds `width`
    features to each node; the last one reads the query's node only. Normalisation is within one example or node, where
    the authors' is over the batch. Fewer classes than `outputs` take the first slots.

    A query costs a small network for each pair of its n + 1 nodes in all rounds but the last: 100 queries after 20
    classes of 5 examples are a million pairs, with `width` numbers for each layer. The initial weights connect nodes
    that are close and answer with their labels: from a random start, training finds this late or never.

    Args:
        encoder: The encoder that all clients share.
        outputs: Most classes of a task.
        width: Features that a round adds.
        rounds: Graph convolutions before the last one.
    """

    algorithm = "Graph network"
    paper = "Garcia, Bruna 2018, arXiv:1711.04043"
    max_examples = 100  # 20 classes of 5: at 800 examples, four queries take 13 s of a core and a gigabyte

    def __init__(self, encoder: Encoder, outputs: int = 20, width: int = 48, rounds: int = 3) -> None:
        super().__init__()
        dim = encoder.feature_dim
        self.max_ways, self.encoder, self.norm = outputs, encoder, nn.LayerNorm(dim)
        *sizes, last = [dim + outputs + width * i for i in range(rounds)]
        self.rounds = nn.ModuleList(GraphConvolution(size, width, width) for size in sizes)
        self.read_out = GraphConvolution(last, outputs, width)
        neighbour_labels = slice(last + dim, last + dim + outputs)
        with torch.no_grad():
            self.read_out.convolve.weight[:, neighbour_labels] += 5 * torch.eye(outputs)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d), on the scale of the labels beside them."""
        features: Tensor = self.norm(native.encode(self.encoder, inputs))
        return features

    def adapt(self, support: Support) -> State:
        """Embeddings (n, d) and one-hot labels (n, ways) of the examples. The label of padding is all zeros."""
        embeddings = support.inputs.clone(memory_format=torch.contiguous_format)
        labels = F.one_hot(support.targets, support.ways).to(embeddings.dtype) * support.mask.unsqueeze(-1)
        return {"embeddings": embeddings, "labels": labels}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        return in_chunks(lambda some: self.read(state, some), query, QUERIES_AT_ONCE)

    def read(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) of a few queries in one pass."""
        nodes, edges = self.graphs(state, query), edges_of(state["labels"].any(-1))
        for convolution in self.rounds:
            added = convolution(nodes, nodes, edges)
            nodes = torch.cat([nodes, F.leaky_relu(F.layer_norm(added, added.shape[-1:]))], -1)
        answers: Tensor = self.read_out(nodes[:, -1:], nodes, edges[-1:])
        return answers[:, 0, : state["labels"].shape[1]]

    def graphs(self, state: State, query: Tensor) -> Tensor:
        """The nodes of each query's graph, (q, n + 1, d + outputs). The query is the last node."""
        slots = self.read_out.outputs
        labelled = torch.cat([state["embeddings"], F.pad(state["labels"], (0, slots - state["labels"].shape[1]))], -1)
        query_nodes = F.pad(query, (0, slots)).unsqueeze(1)
        return torch.cat([labelled.expand(query.shape[0], -1, -1), query_nodes], 1)


class GraphConvolution(nn.Module):
    """A linear map of each node and the mean of its neighbours, weighted by learned edges (equations 1 to 3).

    The likeness of two nodes is a network of the absolute difference of their features. To save memory, the features
    are first mapped to `width` and the network has one hidden layer, where the authors' has four on all features.
    """

    def __init__(self, feature_dim: int, outputs: int, width: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.project = nn.Linear(feature_dim, width, bias=False)
        hidden, score = nn.Linear(width, width), nn.Linear(width, 1)
        with torch.no_grad():  # at first, a larger difference means less alike
            hidden.weight.abs_()
            score.weight.abs_().neg_()
        self.likeness = nn.Sequential(hidden, nn.LeakyReLU(), score)
        self.convolve = nn.Linear(2 * feature_dim, outputs)

    def forward(self, nodes: Tensor, others: Tensor, edges: Tensor) -> Tensor:
        """New features (q, m, outputs).

        Args:
            nodes: (q, m, feature_dim).
            others: Possible neighbours, (q, n, feature_dim).
            edges: (m, n); True where a node may have this neighbour.
        """
        differences = (self.project(nodes).unsqueeze(2) - self.project(others).unsqueeze(1)).abs()
        weights = torch.where(edges, self.likeness(differences).squeeze(-1), -torch.inf).softmax(-1)
        convolved: Tensor = self.convolve(torch.cat([nodes, weights @ others], -1))
        return convolved


def edges_of(real: Tensor) -> Tensor:
    """The edges (n + 1, n + 1) between n examples and a query: none to padding, where `real` (n,) is False, and none
    from a node to itself, as in the authors' code."""
    real = F.pad(real, (0, 1), value=True)
    return real & ~torch.eye(len(real), dtype=torch.bool, device=real.device)
