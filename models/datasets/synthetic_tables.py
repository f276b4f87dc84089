"""Synthetic tables to learn tables from: random causal graphs, random functions and clusters, in unlimited number.

The priors over tasks are those of the literature on prior-fitted networks, written anew: causal graphs in layers
(Hollmann et al. 2023, "TabPFN", arXiv:2207.01848, section 4; Hollmann et al. 2025, doi:10.1038/s41586-024-08328-6),
and trees as functions (Qu et al. 2025, "TabICL", arXiv:2502.05564, section 4). Clusters are Gaussian mixtures.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.bundled_tables import choice_tables
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.synthetic_columns import columns, shaped
from models.datasets.tables import Tables
from models.learner import Episode, Kind, Support

Array = NDArray[np.float64]
Rng = np.random.Generator

ACTIVATIONS: tuple[Callable[[Array], Array], ...] = (
    np.tanh,
    np.tanh,
    lambda x: x,
    lambda x: x,
    lambda x: np.maximum(x, 0),
    np.abs,
    np.sin,
    np.sign,
    lambda x: np.exp(-np.square(x)),
    lambda x: np.square(x).clip(max=9),
)
"""The functions of the nodes of a causal graph and of the units of a network."""


CELLS = 1600
"""Most cells of the rows to learn from, which bounds the time of a step."""


class Size(NamedTuple):
    """The size of a task: rows to learn from, rows to answer, features and classes."""

    rows: int
    queries: int
    features: int
    ways: int


def draw_size(rng: Rng, most: Shape, features: int) -> Size:
    """Draw a size: few classes more often than many, and few rows and features more often than many.

    Args:
        rng: The generator.
        most: Its ways are the largest number of classes, and ways x shots that of rows to learn from, but at least
            eight rows and two for each class. All tasks have ways x queries rows to answer.
        features: The largest number of features.
    """
    ways = min(most.ways, int(rng.choice([2, 2, 2, 2, 3, 3, 4, int(rng.integers(5, 11))])))
    least = max(8, 2 * ways)
    rows = int(np.exp(rng.uniform(np.log(least), np.log(max(least, most.ways * most.shots)))))
    width = int(np.exp(rng.uniform(np.log(2), np.log(features + 1))))
    return Size(rows, most.ways * most.queries, min(width, max(4, CELLS // rows)), ways)


def draw_task(rng: Rng, size: Size) -> Episode:
    """Draw a task. NaN marks a missing number. Each class has at least one row to learn from."""
    count = size.rows + size.queries
    family = rng.choice(len(FAMILIES), p=SHARES)
    features, labels = FAMILIES[family](rng, count, size)
    order = _order(rng, labels, size)
    inputs = torch.from_numpy(features[order].astype(np.float32))
    targets = torch.from_numpy(labels[order])
    support = Support(inputs[: size.rows], targets[: size.rows], torch.ones(size.rows, dtype=torch.bool), size.ways)
    return Episode(support, inputs[size.rows :], targets[size.rows :])


def _order(rng: Rng, labels: NDArray[np.int64], size: Size) -> NDArray[np.int64]:
    """An order of the rows with one of each class in the front."""
    order = rng.permutation(len(labels))
    _, firsts = np.unique(labels[order], return_index=True)
    order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.concatenate([rng.permutation(order[: size.rows]), order[size.rows :]])


def graph(rng: Rng, count: int, size: Size) -> tuple[Array, NDArray[np.int64]]:
    """A causal graph in layers: the features and the label are nodes of it, causes and effects alike."""
    nodes = shaped(rng, rng.standard_normal((count, int(rng.integers(2, 12)))))
    layers, noise = [nodes], rng.exponential(0.08)
    width = max(4, int(rng.integers(size.features // 2 + 1, size.features + 8)))
    for _ in range(int(rng.integers(1, 4))):
        layers.append(_layer(rng, layers[-1], width, noise))
    every = np.concatenate(layers, 1)
    late = rng.random() < 0.5  # the label is an effect of the last layer, or any node
    target = every.shape[1] - 1 - int(rng.integers(width if late else every.shape[1]))
    score = every[:, target] + 1e-3 * rng.standard_normal(count)
    others = np.delete(every, target, 1)
    found = columns(rng, others[:, rng.integers(others.shape[1], size=size.features)], size.features)
    return found.features, classes(rng, score, size.ways)


def _layer(rng: Rng, before: Array, width: int, noise: float) -> Array:
    """The nodes (count, width) of the next layer: each a function of a few nodes before it, and noise."""
    weights = rng.standard_normal((before.shape[1], width)) * (
        rng.random((before.shape[1], width)) < rng.uniform(0.2, 1)
    )
    weights[rng.integers(before.shape[1], size=width), np.arange(width)] += 1
    sums = standardised(before @ weights) * rng.uniform(0.5, 2, width) + rng.normal(0, 0.5, width)
    kinds = rng.integers(len(ACTIVATIONS), size=width if rng.random() < 0.5 else 1)
    nodes = np.empty_like(sums)
    for kind in set(kinds.tolist()):
        chosen = np.broadcast_to(kinds == kind, width)
        nodes[:, chosen] = ACTIVATIONS[kind](sums[:, chosen])
    return standardised(nodes) + noise * rng.uniform(0, 2, width) * rng.standard_normal(nodes.shape)


def function(rng: Rng, count: int, size: Size) -> tuple[Array, NDArray[np.int64]]:
    """Features that are drawn first, and a label that is a noisy function of some of them."""
    found = columns(rng, _related(rng, count, size.features), size.features)
    used = found.values[:, rng.permutation(found.values.shape[1])[: _few(rng, found.values.shape[1])]]
    make = FUNCTIONS[rng.choice(len(FUNCTIONS), p=(0.4, 0.15, 0.25, 0.2))]
    if size.ways > 2 and rng.random() < 0.5:
        scores = np.stack([standardised(make(rng, used)) for _ in range(size.ways)], 1)
        noise = rng.gumbel(size=scores.shape) * rng.choice([0.0, 0.0, 0.2, 0.5])
        return found.features, _present(rng, (scores + noise + rng.normal(0, 0.5, size.ways)).argmax(1), size.ways)
    score = standardised(make(rng, used)) + rng.exponential(0.2) * rng.standard_normal(count)
    return found.features, classes(rng, score, size.ways)


def _related(rng: Rng, count: int, width: int) -> Array:
    """Correlated values (count, width): sums of some common factors and own noise."""
    factors = int(rng.integers(1, width + 1))
    common = rng.standard_normal((count, factors)) @ rng.standard_normal((factors, width))
    share = rng.uniform(0, 1, width) * rng.integers(0, 2)
    return shaped(rng, standardised(common) * share + rng.standard_normal((count, width)) * np.sqrt(1 - share**2))


def _few(rng: Rng, most: int) -> int:
    """A number from 1 to `most`, small ones more often."""
    return int(np.exp(rng.uniform(0, np.log(most + 1))))


def _linear(rng: Rng, values: Array) -> Array:
    return values @ (rng.standard_normal(values.shape[1]) * rng.exponential(1.0, values.shape[1]))


def _additive(rng: Rng, values: Array) -> Array:
    scale, shift = rng.uniform(0.5, 2, values.shape[1]), rng.normal(0, 1, values.shape[1])
    return _linear(rng, ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))](values * scale + shift))


def _network(rng: Rng, values: Array) -> Array:
    return _layer(rng, _layer(rng, values, int(rng.integers(2, 16)), 0.0), 1, 0.0)[:, 0]


def _trees(rng: Rng, values: Array) -> Array:
    """The sum of trees that compare the same feature at all nodes of a level."""
    total = np.zeros(len(values))
    for _ in range(_few(rng, 8)):
        depth = int(rng.integers(1, 5))
        chosen = rng.integers(values.shape[1], size=depth)
        at = values[rng.integers(len(values), size=depth), chosen]
        leaves = (values[:, chosen] > at) @ (1 << np.arange(depth))
        total += rng.standard_normal(1 << depth)[leaves]
    return total


FUNCTIONS = (_linear, _additive, _network, _trees)


def clusters(rng: Rng, count: int, size: Size) -> tuple[Array, NDArray[np.int64]]:
    """Gaussian clusters, one or a few for each class, that differ in some of the features."""
    each = int(rng.integers(1, 4))
    own = rng.choice(size.ways * each, count, p=rng.dirichlet(np.full(size.ways * each, 3.0)))
    matters = rng.random(size.features) < rng.uniform(0.2, 1)
    apart = (0.5 + rng.exponential(1.2)) * rng.exponential(1.0, size.features) * matters
    centres = rng.standard_normal((size.ways * each, size.features)) * apart
    spreads = np.exp(rng.normal(0, 0.4, centres.shape) * rng.integers(0, 2))
    values = shaped(rng, _related(rng, count, size.features) * spreads[own] + centres[own])
    return columns(rng, values, size.features).features, _present(rng, own % size.ways, size.ways)


FAMILIES = (graph, function, clusters)
SHARES = (0.4, 0.4, 0.2)
"""How often a task is of each family."""


def classes(rng: Rng, score: Array, ways: int) -> NDArray[np.int64]:
    """Cut a score into classes, equal or unequal ones; sometimes a class has several of the parts."""
    parts = ways if rng.random() < 0.85 else ways + int(rng.integers(1, 4))
    shares = rng.dirichlet(np.full(parts, rng.choice([1.2, 4.0, 30.0])))
    part = np.searchsorted(np.quantile(score, shares.cumsum()[:-1]), score)
    member = np.concatenate([np.arange(ways), rng.integers(ways, size=parts - ways)])
    return _present(rng, rng.permutation(member)[part], ways)


def _present(rng: Rng, labels: NDArray[np.int64], ways: int) -> NDArray[np.int64]:
    """The labels under random names, with some wrong ones now and then, and two rows at least of each class."""
    wrong = rng.random(len(labels)) < max(0.0, rng.uniform(-0.3, 0.1))
    labels = np.where(wrong, rng.integers(ways, size=len(labels)), labels)
    short = [way for way in range(ways) if np.count_nonzero(labels == way) < 2]
    for way in short:
        common = np.flatnonzero(labels == np.bincount(labels, minlength=ways).argmax())
        labels[rng.choice(common, 2, replace=False)] = way
    return rng.permutation(ways)[labels]


def standardised(values: Array) -> Array:
    """Values with mean 0 and variance 1 over the rows."""
    unit: Array = (values - values.mean(0)) / (values.std(0) + 1e-6)
    return unit


class SyntheticTables(EpisodeSampler):
    """Episodes of up to ways x shots rows to learn from, of up to `features` features and `ways` classes."""

    def __init__(self, features: int) -> None:
        self.features = features

    def episode(self, rng: Rng, shape: Shape) -> Episode:
        """Draw a task of any size up to the shape."""
        return draw_task(rng, draw_size(rng, shape, self.features))

    def together(self, rngs: Sequence[Rng], shape: Shape) -> list[Episode]:
        """Draw tasks of one size."""
        size = draw_size(rngs[0], shape, self.features)
        return [draw_task(rng, size) for rng in rngs]


class ToChooseOn(EpisodeSampler):
    """Synthetic tables and tables that come with scikit-learn, one as often as the other."""

    def __init__(self, features: int) -> None:
        self.parts: list[EpisodeSampler] = [SyntheticTables(features), Tables(choice_tables())]

    def episode(self, rng: Rng, shape: Shape) -> Episode:
        """Draw a task from either."""
        return self.parts[int(rng.integers(len(self.parts)))].episode(rng, shape)


def _open(path: Path | None, split: str, input: Mapping[str, Any], *, features: int = 24) -> EpisodeSampler:
    return SyntheticTables(features) if split == "training" else ToChooseOn(features)


SYNTHETIC_TABLES = Dataset(
    name="synthetic-tables",
    kind=Kind.CLASSIFICATION,
    input_type="table",
    splits={"training": None, "validation": None},
    test_split="validation",
    open=_open,
)
