"""A transformer that reads a table in context: cells and rows are tokens, and attention goes to the support only.

Hollmann et al. 2025, "Accurate predictions on small data with a tabular foundation model",
doi:10.1038/s41586-024-08328-6; small: Pfefferle et al. 2025, "nanoTabPFN", arXiv:2511.03634. A token for a row beside
those of its cells: Qu et al. 2025, "TabICL", arXiv:2502.05564.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Learner, State, Support
from models.learners.column_kernels import ranked, relevance, scaling, standardised

CONFIDENCE = 0.01
"""How sure the first answers are."""
LOOKS = 11
"""Numbers that describe a cell."""


class Tokens(NamedTuple):
    """The tokens of some rows: `cells` (columns, n, width / 2) and `rows` (n, width)."""

    cells: Tensor
    rows: Tensor


class Memory(NamedTuple):
    """What a layer reads of the support: keys and values of its cells and of its rows."""

    cells: Tensor
    rows: Tensor


class TablesInContext(Learner):
    """A transformer over the cells and rows of a table predicts classes; it is trained on synthetic tables only.

    A cell is a token, and so is a row, which begins as a vector of its class, or of "unknown" in a query. In a layer,
    cells attend to the support's cells of their column, a row attends to its own cells, rows attend to the support's
    rows, and a row tells its cells what it found. A layer can therefore correct what the layers before it left
    unexplained, column by column. Columns have no order and no names. The keys and values of the support are the state
    of a client. NaN marks a missing number.

    Args:
        encoder: The encoder that all clients share; "identity" for rows of a table.
        outputs: Most classes of a task.
        layers: Layers.
        heads: Attention heads.
        width: Length of the token of a row; that of a cell has half.
        columns: Most features that are read: those that correlate most with the labels.
    """

    algorithm = "In-context transformer over the cells and rows of a table"
    paper = "Hollmann et al. 2025, doi:10.1038/s41586-024-08328-6; Pfefferle et al. 2025, arXiv:2511.03634"
    exact_states = True
    max_examples = 256

    def __init__(
        self, encoder: Encoder, outputs: int = 10, layers: int = 4, heads: int = 4, width: int = 128, columns: int = 32
    ) -> None:
        super().__init__()
        self.max_ways, self.encoder, self.columns = outputs, encoder, columns
        self.look = nn.Linear(LOOKS, width // 2)
        self.labels = nn.Parameter(nn.init.orthogonal_(torch.empty(outputs, width)) * math.sqrt(width) / 2)
        self.unknown = nn.Parameter(torch.zeros(width))
        self.told = nn.Linear(width, width // 2, bias=False)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm, self.answers = nn.LayerNorm(width), nn.Linear(width, width, bias=False)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Begin as an average over columns of what rows with similar values are labelled.

        Half of a cell's token holds its looks, and half the label; a row gathers the label half.
        """
        half = self.told.out_features
        labels = torch.cat([torch.zeros(half // 2, 2 * half), nn.init.orthogonal_(torch.empty(half // 2, 2 * half))])
        self.told.weight.copy_(labels)
        self.look.weight[half // 2 :] = 0
        self.look.weight[: half // 2] *= 2
        for layer in self._layers():
            layer.gather.mix.weight.copy_(labels.T @ layer.gather.keep.weight[half:].T)
        self.answers.weight.copy_(CONFIDENCE * torch.eye(2 * half))

    def adapt(self, support: Support) -> State:
        """Keys and values of the support in each layer, `cells` (layers, columns, n, width) and `rows`
        (layers, n, 2 * width), how to scale a query, and which features are read."""
        inputs, mask = support.inputs.flatten(1), support.mask
        given = F.one_hot(support.targets, support.ways).to(inputs.dtype) * mask.unsqueeze(-1)
        chosen, known = self._choose(inputs, given, mask)
        rows = given @ self.labels[: support.ways]
        tokens, memories = Tokens(self._cells(inputs[:, chosen], known) + self.told(rows), rows), []
        for layer in self._layers():
            tokens, memory = layer(tokens, mask, _used(known))
            memories.append(memory)
        kept = {"cells": torch.stack([m.cells for m in memories]), "rows_read": torch.stack([m.rows for m in memories])}
        return known | kept | {"given": given, "chosen": chosen}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        cells, mask = self._cells(query.flatten(1)[:, state["chosen"]], state), state["given"].any(-1)
        tokens = Tokens(cells, self.unknown.expand(len(query), -1))
        for layer, *memory in zip(self._layers(), state["cells"], state["rows_read"], strict=True):
            tokens, _ = layer(tokens, mask, _used(state), Memory(*memory))
        answers: Tensor = self.answers(self.norm(tokens.rows)) @ self.labels[: state["given"].shape[1]].T
        return answers

    def _cells(self, rows: Tensor, known: State) -> Tensor:
        """The tokens of the cells (columns, n, width / 2)."""
        cells: Tensor = self.look(looks(rows, known).transpose(0, 1))
        return cells

    def _layers(self) -> Iterator["Layer"]:
        return iter(cast(list[Layer], self.layers))

    def _choose(self, rows: Tensor, given: Tensor, mask: Tensor) -> tuple[Tensor, State]:
        """The features that are read, (columns,), and how to scale them."""
        known = scaling(rows, mask)
        if rows.shape[1] <= self.columns:
            return torch.arange(rows.shape[1], device=rows.device), known
        centred = (given - given.sum(0) / mask.sum()) * mask.unsqueeze(-1)
        weights = relevance(known, centred, mask)
        chosen = (weights["weights"] + weights["gap_weights"]).topk(self.columns).indices
        return chosen, scaling(rows[:, chosen], mask)


class Layer(nn.Module):
    """A pre-norm layer: cells read their column, a row reads its cells, rows read rows, and cells are told of it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        half = width // 2
        self.down, self.along = Reading(half, heads // 2), Reading(width, heads)
        self.gather = Gathering(width, half, heads)
        self.think_cells, self.think_rows = _thinking(half, half), _thinking(width, 2 * width)
        self.tell = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, half, bias=False))

    def forward(
        self, tokens: Tokens, mask: Tensor, used: Tensor, memory: Memory | None = None
    ) -> tuple[Tokens, Memory]:
        """The tokens after the layer, and what was read of the support: its memory, or else the tokens themselves.

        Args:
            tokens: The tokens of the support, or of queries.
            mask: (support,) False for padding.
            used: (columns,) False for columns that say nothing.
            memory: What the layer reads of the support. None: the tokens are the support.
        """
        cells, rows = tokens
        cells_read = self.down.memory(cells) if memory is None else memory.cells
        cells = self.down(cells, cells_read, mask)
        cells = cells + self.think_cells(cells)
        rows = self.gather(rows, cells, used)
        rows_read = self.along.memory(rows) if memory is None else memory.rows
        rows = self.along(rows, rows_read, mask)
        rows = rows + self.think_rows(rows)
        return Tokens(cells + self.tell(rows), rows), Memory(cells_read, rows_read)


class Reading(nn.Module):
    """Attention to the support. It starts as a matching network does: keys equal queries, and values come back
    unchanged. From a random start, training finds this late."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.ask, self.mix = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.keep = nn.Linear(width, 2 * width, bias=False)
        with torch.no_grad():
            same, back = nn.init.orthogonal_(self.ask.weight), nn.init.orthogonal_(self.mix.weight).T
            self.keep.weight.copy_(torch.cat([same, back]))

    def memory(self, tokens: Tensor) -> Tensor:
        """Keys and values (..., n, 2 * width) of tokens (..., n, width)."""
        kept: Tensor = self.keep(self.norm(tokens))
        return kept

    def forward(self, tokens: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Tokens (..., t, width) after attention to a memory (..., n, 2 * width) where the mask (n,) is True."""
        queries, keys, values = (
            _split(each, self.heads) for each in (self.ask(self.norm(tokens)), *memory.chunk(2, -1))
        )
        scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-1, -2)
        scores = scores + _unless(mask, scores)
        found = (scores.softmax(-1).to(values.dtype) @ values).transpose(-2, -3).flatten(-2)
        mixed: Tensor = tokens + self.mix(found)
        return mixed


class Gathering(nn.Module):
    """Attention of a row to its own cells, all alike at first."""

    def __init__(self, width: int, half: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm, self.norm_cells = heads, nn.LayerNorm(width), nn.LayerNorm(half)
        self.ask, self.keep = nn.Linear(width, half, bias=False), nn.Linear(half, 2 * half, bias=False)
        self.mix = nn.Linear(half, width, bias=False)
        nn.init.orthogonal_(self.keep.weight[half:])
        nn.init.zeros_(self.ask.weight)

    def forward(self, rows: Tensor, cells: Tensor, used: Tensor) -> Tensor:
        """Rows (n, width) after attention to their cells (columns, n, width / 2) in columns that are used."""
        read: tuple[Tensor, ...] = self.keep(self.norm_cells(cells)).chunk(2, -1)
        asked: Tensor = self.ask(self.norm(rows))
        queries, keys, values = (each.reshape(*each.shape[:-1], self.heads, -1) for each in (asked, *read))
        scores = (queries * keys).sum(-1) / math.sqrt(keys.shape[-1])  # (columns, n, heads)
        weights = (scores + _unless(used, scores)[:, None, None]).softmax(0).to(values.dtype)
        found = (weights.unsqueeze(-1) * values).sum(0).flatten(-2)
        mixed: Tensor = rows + self.mix(found)
        return mixed


def _thinking(width: int, hidden: int) -> nn.Sequential:
    """An MLP that adds nothing at first."""
    last = nn.Linear(hidden, width, bias=False)
    nn.init.zeros_(last.weight)
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.ReLU(), last)


def _split(tokens: Tensor, heads: int) -> Tensor:
    """(..., t, width) to (..., heads, t, width / heads)."""
    return tokens.reshape(*tokens.shape[:-1], heads, -1).transpose(-2, -3)


def _unless(allowed: Tensor, like: Tensor) -> Tensor:
    """What is added to scores: minus infinity where attention is not allowed."""
    return torch.where(allowed, 0.0, -torch.inf).to(like.dtype)


def looks(rows: Tensor, known: State) -> Tensor:
    """What a cell looks like, (n, columns, LOOKS): its value, its rank among the support, and whether it is missing."""
    value, rank = standardised(rows, known).clamp(-4, 4), ranked(rows, known)
    angles = rank.unsqueeze(-1) * torch.tensor([0.9, 1.8, 3.6], dtype=rank.dtype, device=rank.device)
    missing, gaps = rows.isnan().to(rank.dtype), known["gaps"].expand_as(rank)
    binary = (known["scale"] == 1).to(rank.dtype).expand_as(rank)
    plain = torch.stack([value, rank, missing, gaps, binary], -1)
    return torch.cat([plain, angles.sin(), angles.cos()], -1)


def _used(known: State) -> Tensor:
    """Which columns say something, (columns,); all if none does."""
    says = (known["scale"] > 0) | (known["gaps"] > 0)
    return says | ~says.any()
