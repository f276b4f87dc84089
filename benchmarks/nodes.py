"""Classify nodes with few labels: the models of the zoo beside what is usual, on the same nodes.

python -m benchmarks.nodes --data FOLDER        # with cora.npz and citeseer.npz; minutes
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from benchmarks.figures import Figure, Table, figure_of, publish
from models import checkpoint
from models.datasets.episode import Shape
from models.datasets.graphs import Neighbourhoods, Network, read
from models.datasets.pool import Pool
from models.functional import encode_many
from models.learner import Support
from models.recipes.nodes import NODES, SIZE
from models.training.calibration import calibration_error
from models.training.evaluation import Predictions
from service.cards import Catalogue
from service.settings import ZOO

Floats = NDArray[np.float64]
GRAPHS = ("cora", "citeseer")
"""The first is new to the models."""
CARDS = Catalogue(ZOO)
SHOTS, QUERIES, DRAWS = (1, 5, 20), 15, 30
STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse strengths of the penalty of logistic regression. The best on the test nodes counts."""
SPREAD, ROUNDS = 0.9, 20
"""Of label propagation (Zhou et al. 2004): what a node takes from its neighbours, and how often."""

Answer = Callable[[Support, NDArray[np.intp]], NDArray[np.intp]]
"""The classes of nodes, from the numbers of labelled nodes in place of inputs."""
Logits = Callable[[Support, NDArray[np.intp]], Tensor]
"""The same, as logits (q, ways)."""


def items_of(graph: Network) -> Floats:
    """Whether a node has an item, (n, items)."""
    items = np.zeros((len(graph.labels), 1 + max(max(own, default=0) for own in graph.items)))
    for node, own in enumerate(graph.items):
        items[node, own] = 1
    return items


def smoothed(graph: Network, values: Floats) -> Floats:
    """Values (n, d) times the normalised adjacency with loops (Kipf, Welling 2017, arXiv:1609.02907)."""
    near = [[node, *around] for node, around in enumerate(graph.neighbours)]
    counts, ends = np.array([len(own) for own in near]), np.concatenate(near)
    weights = 1 / np.sqrt(counts.repeat(counts) * counts[ends])
    found: Floats = np.add.reduceat(weights[:, None] * values[ends], np.cumsum(counts) - counts)
    return found


def nearest_mean(features: Floats, support: Support, query: NDArray[np.intp]) -> NDArray[np.intp]:
    """The class with the nearest mean by cosine."""
    known, targets = features[support.inputs.numpy()], support.targets.numpy()
    means = np.stack([known[targets == each].mean(0) for each in range(support.ways)])
    scores = features[query] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    return np.asarray(scores.argmax(1))


def logistic(features: Floats, strength: float, support: Support, query: NDArray[np.intp]) -> NDArray[np.intp]:
    """Logistic regression on features. The solution lies in the span of the examples, so it is searched there."""
    known = features[support.inputs.numpy()]
    basis = np.linalg.qr(known.T).Q
    model = LogisticRegression(C=strength, max_iter=300).fit(known @ basis, support.targets.numpy())
    found: NDArray[np.intp] = model.predict(features[query] @ basis)
    return found


def propagated(graph: Network, support: Support, query: NDArray[np.intp]) -> NDArray[np.intp]:
    """Label propagation over the whole graph. It reads no items."""
    given = np.zeros((len(graph.labels), support.ways))
    given[support.inputs.numpy(), support.targets.numpy()] = 1
    scores = given
    for _ in range(ROUNDS):
        scores = SPREAD * smoothed(graph, scores) + (1 - SPREAD) * given
    return np.asarray(scores[query].argmax(1))


def logits_of(name: str, graph: Network) -> Logits:
    """A model of the zoo. Each node is encoded once, from its own neighbourhood."""
    learner = checkpoint.load(ZOO / f"{name}.safetensors")
    inputs = Neighbourhoods(graph, SIZE)(np.arange(len(graph.labels)))
    features = encode_many(learner, inputs)

    def logits(support: Support, query: NDArray[np.intp]) -> Tensor:
        state = learner.adapt(support._replace(inputs=features[support.inputs]))
        return learner.predict(state, features[torch.from_numpy(query)])

    return logits


def of_model(logits: Logits) -> Answer:
    """The classes that a model answers with."""
    return lambda support, query: logits(support, query).argmax(-1).numpy()


def methods(graph: Network, models: Mapping[str, Logits]) -> dict[str, Sequence[Answer]]:
    """All methods by name. Of several variants, the best counts."""
    items = items_of(graph)
    both = items, smoothed(graph, smoothed(graph, items))
    own, smooth = (each / np.linalg.norm(each, axis=1, keepdims=True).clip(1e-9) for each in both)
    return {
        "nearest mean of the items": [partial(nearest_mean, own)],
        "label propagation, whole graph": [partial(propagated, graph)],
        "SGC and nearest mean": [partial(nearest_mean, smooth)],
        "SGC and logistic regression": [partial(logistic, smooth, strength) for strength in STRENGTHS],
        **{f"`{name}`": [of_model(logits)] for name, logits in models.items()},
    }


def episodes(graph: Network, shots: int, draws: int) -> Iterator[Any]:
    """The same nodes for all methods: their numbers in place of inputs."""
    every = np.ones(len(graph.labels), bool)
    pool = Pool(torch.from_numpy, graph.labels, every, every)
    return pool.episodes(Shape(pool.max_ways or 0, shots, QUERIES), draws, seed=0)


def accuracy(answers: Sequence[Answer], graph: Network, shots: int, draws: int) -> Figure:
    """The mean accuracy of the best variant over the draws, in %."""
    drawn = list(episodes(graph, shots, draws))
    shares = [
        [100 * float((answer(support, query.numpy()) == targets.numpy()).mean()) for support, query, targets in drawn]
        for answer in answers
    ]
    return figure_of(max(shares, key=fmean), 1)


def calibration(models: Mapping[str, Logits], graph: Network, draws: int) -> Table:
    """The expected calibration error of each model in %, with its one temperature and with that of the kind of task."""
    rows: list[list[str]] = []
    for name, logits in models.items():
        cells = []
        for shots in SHOTS:
            drawn = list(episodes(graph, shots, draws))
            found = [Predictions(logits(support, query.numpy()), targets) for support, query, targets in drawn]
            ways = drawn[0].support.ways
            served = CARDS[name].for_task(ways, ways * shots).temperature
            errors = (100 * calibration_error(found, each) for each in (CARDS[name].temperature, served))
            cells.append(" / ".join(f"{error:.1f}" for error in errors))
        rows.append([f"`{name}`", *cells])
    return Table(["model", *(f"{shots} a class" for shots in SHOTS)], rows)


def table_of(graphs: Mapping[str, Network], models: Mapping[str, Mapping[str, Logits]], draws: int) -> Table:
    """The accuracy of each method on each graph."""
    ready = {name: methods(graph, models[name]) for name, graph in graphs.items()}
    columns = [(name, shots) for name in graphs for shots in SHOTS]
    rows: list[list[str | Figure]] = [
        [method, *(accuracy(ready[name][method], graphs[name], shots, draws) for name, shots in columns)]
        for method in next(iter(ready.values()))
    ]
    return Table(["method", *(f"{name}, {shots} a class" for name, shots in columns)], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=DRAWS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    graphs = {name: read(given.data / f"{name}.npz") for name in GRAPHS}
    with torch.no_grad():
        models = {
            name: {each: logits_of(each, graph) for each in NODES if each in CARDS} for name, graph in graphs.items()
        }
        new = GRAPHS[0]
        calibrated = calibration(models[new], graphs[new], given.draws)
        publish({"nodes": table_of(graphs, models, given.draws), "nodes-calibration": calibrated})


if __name__ == "__main__":
    main()
