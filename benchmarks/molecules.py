"""Measure the models of molecules beside Tanimoto kernel ridge regression; write docs/applications.md and the cards.

python -m benchmarks.molecules --data FOLDER

The folder has tox21.csv.gz and molecules/{muv6500,bbbp,clintox}.csv.gz. All molecules that are learned from and asked
are held out from training.
"""

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, Self

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.methods import ROOT, filled, table
from models import checkpoint
from models.datasets.molecules import Assay, draw, groups_of
from models.functional import encode_many
from models.learner import Episode, Learner
from models.molecules import width
from service.arrays import Array
from service.cards import Card, Figure
from service.settings import ZOO

PAGE, MODELS = ROOT / "docs/applications.md", ("molecules", "molecules-graph")
USUAL = "Tanimoto kernel ridge"
SPLITS, SHOTS, DRAWS = ("tox21-test", "bbbp", "clintox"), (10, 20), 100
COMMAND = "python -m benchmarks.molecules --data data"
RIDGE = 1.0
"""The usual value; it was not tuned."""


def main() -> None:
    """Measure, print, and write the page and the cards."""
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--draws", type=int, default=DRAWS)
    given = options.parse_args()
    torch.set_num_threads(1)
    models = {name: Model.read(name) for name in MODELS if (ZOO / f"{name}.json").exists()}
    bits, atoms = (max(model.size[each] for model in models.values()) for each in ("bits", "atoms"))
    assays = [assay for split in SPLITS for group in groups_of(given.data, split, bits, atoms) for assay in group]
    found = [measured(assay, shots, models, bits, given.draws) for assay in assays for shots in SHOTS]
    for name, model in models.items():
        figures = [each.figure(name, model.weights) for each in found]
        model.card.with_figures(figures).write(ZOO / f"{name}.json")
    text = table(header(models), [each.row() for each in found])
    print(text)
    PAGE.write_text(filled(PAGE.read_text(), {"molecules": text}))


class Model(NamedTuple):
    """A model that ships."""

    card: Card
    learner: Learner
    weights: str

    @classmethod
    def read(cls, name: str) -> Self:
        """The model of this name."""
        path = ZOO / f"{name}.safetensors"
        return cls(Card.read(path.with_suffix(".json")), checkpoint.load(path), checkpoint.digest(path))

    @property
    def size(self) -> dict[str, Any]:
        """The input of its card."""
        return self.card.input.model_dump()

    def encoded(self, assay: Assay) -> Assay:
        """The assay with features. A model without a graph reads the numbers before it."""
        inputs = assay.inputs if self.size["atoms"] else assay.inputs[:, : width(self.size["bits"])]
        return assay._replace(inputs=encode_many(self.learner, torch.from_numpy(inputs)).numpy())


class Measured(NamedTuple):
    """ROC-AUC of each method on the same draws of one assay."""

    assay: str
    shots: int
    scores: dict[str, list[float]]

    def figure(self, name: str, weights: str) -> Figure:
        """For the card."""
        return Figure(
            setting=f"{self.assay}, {self.shots} + {self.shots} molecules",
            metric="roc_auc",
            mean=fmean(self.scores[name]),
            ci95=interval(self.scores[name]),
            episodes=len(self.scores[name]),
            command=COMMAND,
            checkpoint=weights,
        )

    def row(self) -> list[str]:
        """The scores, what the first model gains over the baseline, and what others gain over the first."""
        first, *others, usual = self.scores.values()
        means = [f"{fmean(each):.3f} ± {interval(each):.3f}" for each in self.scores.values()]
        pairs = [(first, usual), *((other, first) for other in others)]
        gains = [[one - another for one, another in zip(*pair, strict=True)] for pair in pairs]
        more = [f"{fmean(each):+.3f} ± {interval(each):.3f}" for each in gains]
        return [self.assay, f"{self.shots} + {self.shots}", *means, *more]


def header(models: Iterable[str]) -> list[str]:
    """The columns of `Measured.row`."""
    first, *others = [f"`{name}`" for name in models]
    return ["assay", "examples", first, *others, USUAL, "gain", *(f"gain of {name} over {first}" for name in others)]


def measured(assay: Assay, shots: int, models: Mapping[str, Model], bits: int, draws: int) -> Measured:
    """The models and Tanimoto kernel ridge regression on the same draws."""
    scores = {}
    for name, model in models.items():
        encoded = model.encoded(assay)
        scores[name] = [auc(answered(model.learner, each), each) for each in drawn(encoded, shots, draws)]
    fingerprints = assay._replace(inputs=(assay.inputs[:, :bits] > 0).astype(np.float32))
    usual = [auc(tanimoto_ridge(each), each) for each in drawn(fingerprints, shots, draws)]
    return Measured(assay.name, shots, scores | {USUAL: usual})


def drawn(assay: Assay, shots: int, draws: int) -> Iterator[Episode]:
    """Draws that are the same for all features of an assay."""
    return (draw(assay, np.random.default_rng([shots, seed]), shots, None) for seed in range(draws))


def answered(learner: Learner, encoded: Episode) -> Array:
    """The scores of the queries (q,) of an encoded episode."""
    answers: Array = learner.predict(learner.adapt(encoded.support), encoded.query).numpy()
    return answers[:, 1] - answers[:, 0]


def auc(scores: Array, episode: Episode) -> float:
    """The area under the ROC curve over all queries."""
    return float(roc_auc_score(episode.targets, scores))


def tanimoto_ridge(episode: Episode) -> Array:
    """Kernel ridge regression with the Tanimoto kernel on the bits of the fingerprint."""
    own, asked = episode.support.inputs.numpy(), episode.query.numpy()
    system = tanimoto(own, own) + RIDGE * np.eye(len(own))
    weights = np.linalg.solve(system, 2.0 * episode.support.targets.numpy() - 1)
    answers: Array = tanimoto(asked, own) @ weights
    return answers


def tanimoto(a: Array, b: Array) -> Array:
    """Shared bits over all bits, (n, m)."""
    shared = a @ b.T
    kernel: Array = shared / (a.sum(1)[:, None] + b.sum(1) - shared)
    return kernel


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean over draws."""
    return float(1.96 * stdev(values) / len(values) ** 0.5)


if __name__ == "__main__":
    main()
