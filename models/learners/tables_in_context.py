"""A transformer that reads a table in context: cells are tokens, and attention over rows goes to the support only.

Hollmann et al. 2025, "Accurate predictions on small data with a tabular foundation model",
doi:10.1038/s41586-024-08328-6; small: Pfefferle et al. 2025, "nanoTabPFN", arXiv:2511.03634.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Learner, State, Support
from models.learners.column_kernels import ranked, relevance, scaling, standardised

LOOKS = 11
"""Numbers that describe a cell."""


class TablesInContext(Learner):
    """A transformer over the cells of a table predicts the classes of rows; it is trained on synthetic tables only.

    Each cell of a row is a token, and one more token of the row stands for its label: a vector of its class, or a
    vector for "unknown" in a query. A layer attends over the rows of a column, then over the columns of a row. Columns
    have no order and no names. The rows of the support attend to each other, and a query to the rows of the support:
    their keys and values are the state of a client. NaN marks a missing number.

    Args:
        encoder: The encoder that all clients share; "identity" for rows of a table.
        outputs: Most classes of a task.
        layers: Layers.
        heads: Attention heads.
        width: Length of a token.
        columns: Most features that are read: those that correlate most with the labels.
    """

    algorithm = "In-context transformer over the cells of a table"
    paper = "Hollmann et al. 2025, doi:10.1038/s41586-024-08328-6; Pfefferle et al. 2025, arXiv:2511.03634"
    max_examples = 256

    def __init__(
        self, encoder: Encoder, outputs: int = 10, layers: int = 3, heads: int = 4, width: int = 96, columns: int = 32
    ) -> None:
        super().__init__()
        self.max_ways, self.encoder, self.columns = outputs, encoder, columns
        self.look = nn.Linear(LOOKS, width)
        self.labels = nn.Parameter(nn.init.orthogonal_(torch.empty(outputs, width)) * math.sqrt(width) / 2)
        self.unknown = nn.Parameter(torch.zeros(width))
        self.told = nn.Linear(width, width, bias=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.answers = nn.LayerNorm(width), nn.Linear(width, width, bias=False)
        with torch.no_grad():
            self.answers.weight.copy_(0.1 * torch.eye(width))

    def adapt(self, support: Support) -> State:
        """Keys and values of the support in each layer, (layers, n, columns + 1, 2 * width), how to scale a query, and
        which features are read."""
        rows, mask = support.inputs.flatten(1), support.mask
        given = F.one_hot(support.targets, support.ways).to(rows.dtype) * mask.unsqueeze(-1)
        chosen, known = self._choose(rows, given, mask)
        labels = (given @ self.labels[: support.ways]).unsqueeze(-2)
        cells = self.look(looks(rows[:, chosen], known)) + self.told(labels)
        tokens, used = torch.cat([cells, labels.to(cells.dtype)], -2), _used(known)
        memories = []
        for block in self._blocks[:-1]:
            memories.append(block.memory(tokens))
            tokens = block(tokens, memories[-1], mask, used)
        memories.append(self._blocks[-1].memory(tokens))
        return known | {"memories": torch.stack(memories), "given": given, "chosen": chosen}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        cells = self.look(looks(query.flatten(1)[:, state["chosen"]], state))
        unknown = self.unknown.to(cells.dtype).expand(len(cells), 1, -1)
        tokens, used, mask = torch.cat([cells, unknown], -2), _used(state), state["given"].any(-1)
        for index, block in enumerate(self._blocks):
            last = index == len(self._blocks) - 1
            tokens = block(tokens, state["memories"][index], mask, used, answer=last)
        answers: Tensor = self.answers(self.norm(tokens.squeeze(-2))) @ self.labels[: state["given"].shape[1]].T
        return answers

    @property
    def _blocks(self) -> list["Block"]:
        return cast(list[Block], list(self.blocks))

    def _choose(self, rows: Tensor, given: Tensor, mask: Tensor) -> tuple[Tensor, State]:
        """The features that are read, (columns,), and how to scale them."""
        known = scaling(rows, mask)
        if rows.shape[1] <= self.columns:
            return torch.arange(rows.shape[1], device=rows.device), known
        centred = (given - given.sum(0) / mask.sum()) * mask.unsqueeze(-1)
        weights = relevance(known, centred, mask)
        chosen = (weights["weights"] + weights["gap_weights"]).topk(self.columns).indices
        return chosen, scaling(rows[:, chosen], mask)


class Block(nn.Module):
    """A pre-norm layer: attention over rows, attention over columns, and an MLP.

    Attention over rows starts as a matching network does: keys equal queries, and values come back unchanged. The
    other two parts start as zero.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm, self.across = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.mix = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.remember = nn.Linear(width, 2 * width, bias=False)
        self.ask_columns, self.mix_columns = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.remember_columns = nn.Linear(width, 2 * width, bias=False)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU("tanh"), nn.Linear(2 * width, width)
        )
        with torch.no_grad():
            same, back = nn.init.orthogonal_(self.ask.weight), nn.init.orthogonal_(self.mix.weight).T
            self.remember.weight.copy_(torch.cat([same, back]))
            for weight in (self.mix_columns.weight, *self.think[-1].parameters()):
                weight.zero_()

    def memory(self, tokens: Tensor) -> Tensor:
        """Keys and values (n, columns, 2 * width) of tokens (n, columns, width)."""
        kept: Tensor = self.remember(self.norm(tokens))
        return kept

    def forward(self, tokens: Tensor, memory: Tensor, mask: Tensor, used: Tensor, *, answer: bool = False) -> Tensor:
        """Tokens (n, columns, width) after a layer.

        Args:
            tokens: (n, columns, width), the token of the label last.
            memory: Keys and values of the support, (support, columns, 2 * width).
            mask: (support,) False for padding.
            used: (columns,) False for columns that say nothing.
            answer: Whether to return the token of the label only, (n, 1, width).
        """
        keys, values = memory.transpose(-2, -3).chunk(2, -1)
        asked = self.ask(self.norm(tokens)).transpose(-2, -3)
        tokens = tokens + self.mix(attention(asked, keys, values, mask, self.heads)).transpose(-2, -3)
        keys, values = self.remember_columns(self.across(tokens)).chunk(2, -1)
        tokens = tokens[..., -1:, :] if answer else tokens
        asked = self.ask_columns(self.across(tokens))
        tokens = tokens + self.mix_columns(attention(asked, keys, values, used, self.heads))
        added: Tensor = self.think(tokens)
        return tokens + added


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Multi-head attention: queries (..., t, width) to keys and values (..., n, width) where the mask (n,) is True.

    The mask is added in place, which takes less memory and time than a selection.
    """
    queries, keys, values = (each.unflatten(-1, (heads, -1)).transpose(-2, -3) for each in (queries, keys, values))
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-1, -2)
    scores = scores + torch.where(mask, 0.0, -torch.inf).to(scores.dtype)
    return (scores.softmax(-1).to(values.dtype) @ values).transpose(-2, -3).flatten(-2)


def looks(rows: Tensor, known: State) -> Tensor:
    """What a cell looks like, (n, columns, LOOKS): its value, its rank among the support, and whether it is missing."""
    value, rank = standardised(rows, known).clamp(-4, 4), ranked(rows, known)
    angles = rank.unsqueeze(-1) * torch.tensor([0.9, 1.8, 3.6], dtype=rank.dtype, device=rank.device)
    missing, gaps = rows.isnan().to(rank.dtype), known["gaps"].expand_as(rank)
    binary = (known["scale"] == 1).to(rank.dtype).expand_as(rank)
    plain = torch.stack([value, rank, missing, gaps, binary], -1)
    return torch.cat([plain, angles.sin(), angles.cos()], -1)


def _used(known: State) -> Tensor:
    """Which columns say something, and the label, (columns + 1,)."""
    says = (known["scale"] > 0) | (known["gaps"] > 0)
    return torch.cat([says, torch.ones_like(says[:1])])
