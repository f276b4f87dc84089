"""Graph networks for few examples: Garcia and Bruna 2018, "Few-Shot Learning with Graph Neural Networks".

arXiv:1711.04043
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Learner, State, Support
from models.losses import at_least_float32

AT_ONCE = 4
"""Graphs of which the pairs of nodes still fit the caches: half the time of all at once."""


class GraphNet(Learner):
    """The support and one query are the nodes of a graph that learns its edges; the query's node gives the answer.

    A node is an embedding beside a one-hot label; zeros for the query, as in the authors' code, where the paper has a
    uniform label (section 4.1). Each query has a graph of its own, so that none sees another.
    All rounds but the last add `width` features to every node; the last one reads the query's node alone.
    Normalisation is within one example or node, where the authors' is over the batch.
    Up to `outputs` classes; fewer take the first slots.
    A query costs a small network on each pair of its n + 1 nodes, in all rounds but the last: 100 queries after 20
    classes of 5 examples are a million pairs, each of them `width` numbers a layer.
    It begins with edges to what is near and answers with the labels there; from a random start, training finds this
    late or never.
    """

    algorithm = "Graph network"
    paper = "Garcia, Bruna 2018, arXiv:1711.04043"
    max_examples = 100  # 20 classes of 5: at 800, four queries take 13 s of a core, and a gigabyte

    def __init__(self, encoder: Encoder, outputs: int = 20, width: int = 48, rounds: int = 3) -> None:
        super().__init__()
        self.max_ways, self.encoder, self.norm = outputs, encoder, nn.LayerNorm(encoder.features)
        *sizes, last = [encoder.features + outputs + width * i for i in range(rounds)]
        self.rounds = nn.ModuleList(GraphConvolution(size, width, width) for size in sizes)
        self.read_out = GraphConvolution(last, outputs, width)
        labels = slice(last + encoder.features, last + encoder.features + outputs)
        with torch.no_grad():
            self.read_out.convolve.weight[:, labels] += 5 * torch.eye(outputs)  # of the neighbours

    def adapt(self, support: Support) -> State:
        """Embeddings (n, d) and one-hot labels (n, ways) of the examples; a label of padding is all zeros."""
        embeddings = self.embeddings(support.inputs)
        labels = F.one_hot(support.targets, support.ways).to(embeddings.dtype) * support.mask.unsqueeze(-1)
        return {"embeddings": embeddings, "labels": labels}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        return torch.cat([self.read(state, some) for some in torch.split(query, AT_ONCE)])

    def read(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) of a few queries, all of whose graphs are held at once."""
        nodes, edges = self.graphs(state, query), edges_of(state["labels"].any(-1))
        for convolution in self.rounds:
            added = convolution(nodes, nodes, edges)
            nodes = torch.cat([nodes, F.leaky_relu(F.layer_norm(added, added.shape[-1:]))], -1)
        answers: Tensor = self.read_out(nodes[:, -1:], nodes, edges[-1:])
        return answers[:, 0, : state["labels"].shape[1]]

    def embeddings(self, inputs: Tensor) -> Tensor:
        """Inputs (n, *input) to features (n, d) on the scale of the labels beside them."""
        features: Tensor = self.norm(at_least_float32(self.encoder(inputs)))
        return features

    def graphs(self, state: State, query: Tensor) -> Tensor:
        """The nodes of each query's graph, (q, n + 1, d + outputs); the query is the last."""
        slots = self.read_out.outputs
        labelled = torch.cat([state["embeddings"], F.pad(state["labels"], (0, slots - state["labels"].shape[1]))], -1)
        asked = F.pad(self.embeddings(query), (0, slots))
        return torch.cat([labelled.expand(len(query), -1, -1), asked.unsqueeze(1)], 1)


class GraphConvolution(nn.Module):
    """A linear map of each node beside the mean of its neighbours, weighted by learned edges (equations 1 to 3).

    The likeness of two nodes is a network of the absolute difference of their features: the features are first mapped
    to `width`, and it has one hidden layer, where the authors' has four on all features, for the sake of memory.
    """

    def __init__(self, features: int, outputs: int, width: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.project = nn.Linear(features, width, bias=False)
        hidden, score = nn.Linear(width, width), nn.Linear(width, 1)
        with torch.no_grad():  # what differs more begins as less alike
            hidden.weight.abs_()
            score.weight.abs_().neg_()
        self.likeness = nn.Sequential(hidden, nn.LeakyReLU(), score)
        self.convolve = nn.Linear(2 * features, outputs)

    def forward(self, nodes: Tensor, others: Tensor, edges: Tensor) -> Tensor:
        """New features (q, m, outputs) of nodes (q, m, features), whose neighbours are among others
        (q, n, features) where edges (m, n) are True."""
        differences = (self.project(nodes).unsqueeze(2) - self.project(others).unsqueeze(1)).abs()
        weights = torch.where(edges, self.likeness(differences).squeeze(-1), -torch.inf).softmax(-1)
        convolved: Tensor = self.convolve(torch.cat([nodes, weights @ others], -1))
        return convolved


def edges_of(real: Tensor) -> Tensor:
    """Which of n examples, and of the query after them, may be neighbours of which, (n + 1, n + 1): none that is not
    real (n,), and no node of itself, as in the authors' code."""
    real = F.pad(real, (0, 1), value=True)
    return real & ~torch.eye(len(real), dtype=torch.bool, device=real.device)
