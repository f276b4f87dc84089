"""Node classification on citation graphs and on stochastic block models. An input is a node with its neighbourhood.

Cora and CiteSeer (Sen et al. 2008) as `.npz` files of bit-packed words, citations and labels; see docs/applications.md.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.pool import Indices, Pool
from models.graph_arrays import packed
from models.learner import Episode, Kind

FANOUT = 10
"""Neighbours of a node that are kept."""
BLOCKS, BLOCK_SIZE, ITEMS_OF_NODE = 6, 60, 12
OWN_EDGES, OWN_ITEMS = (0.6, 0.9), (0.1, 0.4)
"""Shares of the edges of a node that stay in its block, and of its items that are typical of it."""


class Network(NamedTuple):
    """A graph: the items of each node, its neighbours, and its class (n,)."""

    items: Sequence[Sequence[int]]
    neighbours: Sequence[Sequence[int]]
    labels: NDArray[np.intp]


class Neighbourhoods:
    """The neighbourhood of each node of a graph: its neighbours and theirs, sampled where there are many.

    Args:
        graph: The graph.
        input: The input of a model's card.
    """

    def __init__(self, graph: Network, input: Mapping[str, Any]) -> None:
        self.graph, self.nodes, self.slots = graph, input["nodes"], input["slots"]

    def __call__(self, indices: Indices) -> Tensor:
        """Inputs (n, nodes, slots + nodes)."""
        return torch.from_numpy(np.stack([self._packed(int(index)) for index in indices]))

    def of(self, node: int) -> dict[str, list[list[int]]]:
        """The neighbourhood of a node as a client sends it."""
        kept = self.kept(node)
        place = {each: i for i, each in enumerate(kept)}
        edges = [[place[a], place[b]] for a in kept for b in self.graph.neighbours[a] if b in place and a < b]
        return {"nodes": [list(self.graph.items[each])[: self.slots] for each in kept], "edges": edges}

    def kept(self, node: int) -> list[int]:
        """The nodes of a neighbourhood, the node itself first. Breadth first; the same at each call."""
        rng = np.random.default_rng(node)
        kept, reached = [node], {node}
        for each in kept:
            around = self.graph.neighbours[each]
            few = around if len(around) <= FANOUT else rng.choice(around, FANOUT, replace=False).tolist()
            new = [one for one in few if one not in reached][: self.nodes - len(kept)]
            kept += new
            reached.update(new)
        return kept

    def _packed(self, node: int) -> NDArray[np.int16]:
        found = self.of(node)
        return packed(found["nodes"], [(a, b) for a, b in found["edges"]], self.nodes, self.slots)


class Blocks(EpisodeSampler):
    """Stochastic block models (Holland et al. 1983): each episode has a graph of its own, whose blocks are classes."""

    def __init__(self, input: Mapping[str, Any]) -> None:
        self._input, self.max_ways = input, BLOCKS

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw a graph, then nodes of its blocks."""
        return pool_of(blocks(rng, self._input["vocabulary"]), self._input).episode(rng, shape)


class Mixed(EpisodeSampler):
    """Episodes of one sampler and of another in turn, at random."""

    def __init__(self, one: EpisodeSampler, other: EpisodeSampler) -> None:
        self._both = (one, other)
        self.max_ways = min(each.max_ways or 0 for each in self._both)

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode."""
        return self._both[rng.integers(2)].episode(rng, shape)


def pool_of(graph: Network, input: Mapping[str, Any]) -> Pool:
    """Episodes over all nodes of a graph."""
    every = np.ones(len(graph.labels), bool)
    return Pool(Neighbourhoods(graph, input), graph.labels, every, every)


def blocks(rng: np.random.Generator, vocabulary: int) -> Network:
    """A graph whose nodes have most edges, and some of their items, within their block."""
    labels = np.repeat(np.arange(BLOCKS), BLOCK_SIZE)
    count, own = len(labels), rng.uniform(*OWN_EDGES)
    inside = labels[:, None] * BLOCK_SIZE + rng.integers(0, BLOCK_SIZE, (count, 2))
    ends = np.where(rng.random((count, 2)) < own, inside, rng.integers(0, count, (count, 2)))
    pairs = np.stack([np.repeat(np.arange(count), 2), ends.ravel()], 1)
    typical = rng.integers(0, vocabulary, (BLOCKS, 5 * ITEMS_OF_NODE))
    chosen = rng.random((count, ITEMS_OF_NODE)) < rng.uniform(*OWN_ITEMS)
    of_block = typical[labels[:, None], rng.integers(0, typical.shape[1], chosen.shape)]
    items = np.where(chosen, of_block, rng.integers(0, vocabulary, chosen.shape))
    return Network(items.tolist(), neighbours_of(pairs, count), labels)


def neighbours_of(pairs: NDArray[Any], count: int) -> list[list[int]]:
    """The neighbours of each node, from pairs (m, 2) of nodes."""
    found: list[set[int]] = [set() for _ in range(count)]
    for a, b in pairs.tolist():
        if a != b:
            found[a].add(b)
            found[b].add(a)
    return [sorted(each) for each in found]


@cache
def read(path: Path) -> Network:
    """A graph of a file with `features` (bit-packed), `n_features`, `edges` (2, m) and `label`."""
    with np.load(path, allow_pickle=False) as file:
        words = np.unpackbits(file["features"], axis=1, count=int(file["n_features"]))
        pairs, labels = file["edges"].T, file["label"].astype(np.intp)
    items = [np.flatnonzero(row).tolist() for row in words]
    return Network(items, neighbours_of(pairs, len(labels)), labels)


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> EpisodeSampler:
    if path is None:
        return Blocks(input)
    own = pool_of(read(path), input)
    return Mixed(own, Blocks(input)) if split.endswith("-blocks") else own


GRAPHS = Dataset(
    name="graphs",
    kind=Kind.CLASSIFICATION,
    input_type="graph",
    splits={
        "blocks": None,
        "citeseer": "citeseer.npz",
        "citeseer-blocks": "citeseer.npz",
        "cora": "cora.npz",
        "cora-blocks": "cora.npz",
    },
    test_split="cora",
    open=_open,
    source="the file of the graph",
)
