"""Features of a node by a gated graph network: Li et al. 2016, "Gated Graph Sequence Neural Networks".

arXiv:1511.05493
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.chunks import in_chunks
from models.encoders.base import Encoder

INPUTS_AT_ONCE = 16
"""Neighbourhoods per pass. With 64 different items in each of 32 nodes, a state then takes 17 MB."""


class GatedGraph(Encoder):
    """A gated recurrent unit that passes messages between neighbours, for each item on its own.

    In the paper a node has one state, and the weights that read its words belong to the words. Here each item has a
    state of `width` numbers at each node, and all items share all weights, so that the network can be trained on one
    graph and used on another, with other items. A state starts as whether the node has the item, then zeros (section
    3.1). In each round a node gets the mean of its neighbours' messages and updates its states (equations 2 to 6). The
    feature of an item is read from its last state at the first node; that of an item that no node has is 0.

    Edges have no direction and one kind. The mean takes the place of the sum, so that nodes with many neighbours are
    like others. The initial weights are those of a random walk that stays at a node half of the time.

    Args:
        nodes: Rows of an input.
        slots: Items of a row.
        vocabulary: Number of items, which is the length of a feature vector.
        width: Numbers in a state.
        rounds: How far messages go.
    """

    def __init__(self, nodes: int, slots: int, vocabulary: int, width: int = 4, rounds: int = 3) -> None:
        super().__init__()
        self.slots, self.feature_dim, self.width, self.rounds = slots, vocabulary, width, rounds
        self.message, self.read_out = nn.Linear(width, width), nn.Linear(width, 1, bias=False)
        self.cell = nn.GRUCell(width, width)
        with torch.no_grad():
            self._start()

    def forward(self, inputs: Tensor) -> Tensor:
        """Neighbourhoods (n, nodes, slots + nodes) to features (n, vocabulary)."""
        return in_chunks(self.features, inputs, INPUTS_AT_ONCE)

    def features(self, inputs: Tensor) -> Tensor:
        """The features of a few neighbourhoods."""
        items, edges = inputs[..., : self.slots].long(), inputs[..., self.slots :].to(self.message.weight.dtype)
        places, distinct = distinct_items(items.flatten(1))
        has = edges.new_zeros(*items.shape[:2], distinct.shape[1]).scatter_(2, places.view_as(items), 1.0)
        states = F.pad(has.unsqueeze(-1), (0, self.width - 1))
        shares = edges / edges.sum(-1, keepdim=True).clamp(min=1.0)
        for left in reversed(range(self.rounds)):
            states = self.updated(states, shares if left else shares[:, :1])
        found: Tensor = self.read_out(states[:, 0]).squeeze(-1)
        return found.new_zeros(len(found), self.feature_dim + 1).scatter(1, distinct, found)[:, 1:]

    def updated(self, states: Tensor, shares: Tensor) -> Tensor:
        """New states (n, m, items, width) of the first m nodes.

        Args:
            states: (n, nodes, items, width).
            shares: What each node counts in the mean of the neighbours of each of m nodes, (n, m, nodes).
        """
        got = (shares @ self.message(states).flatten(2)).unflatten(2, states.shape[2:])
        own = states[:, : got.shape[1]]
        new: Tensor = self.cell(got.flatten(0, 2), own.flatten(0, 2))
        return new.view_as(own)

    def _start(self) -> None:
        """Weights with which the first number of a state is a random walk."""
        nn.init.eye_(self.message.weight)
        nn.init.zeros_(self.message.bias)
        nn.init.zeros_(self.read_out.weight)[0, 0] = 1.0
        for parameter in self.cell.parameters():
            parameter.mul_(0.2)
        candidate = self.cell.weight_ih[2 * self.width :]
        candidate[0].zero_()
        candidate[0, 0] = 1.0
        self.cell.weight_hh[2 * self.width].zero_()
        for bias in (self.cell.bias_ih, self.cell.bias_hh):
            bias.zero_()


def distinct_items(items: Tensor) -> tuple[Tensor, Tensor]:
    """The place of each item (n, k) among the distinct items of its row, and those, ascending, with zeros behind."""
    ordered, order = items.sort(1)
    ranks = F.pad((ordered[:, 1:] != ordered[:, :-1]).cumsum(1), (1, 0))
    places = torch.zeros_like(ranks).scatter(1, order, ranks)
    return places, items.new_zeros(len(items), int(ranks.max()) + 1).scatter(1, places, items)
