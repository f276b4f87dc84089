"""Measure the model of molecules beside Tanimoto kernel ridge regression; write docs/applications.md and the card.

python -m benchmarks.molecules --data FOLDER

The folder has tox21.csv.gz and molecules/{muv6500,bbbp,clintox}.csv.gz. All molecules that are learned from and asked
are held out from training.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.methods import ROOT, filled, table
from models import checkpoint
from models.datasets.molecules import Assay, draw, groups_of
from models.learner import Episode, Learner
from service.arrays import Array
from service.cards import Card, Figure
from service.settings import ZOO

PAGE, CARD = ROOT / "docs/applications.md", ZOO / "molecules.json"
SPLITS, SHOTS, DRAWS = ("tox21-test", "bbbp", "clintox"), (10, 20), 100
COMMAND = "python -m benchmarks.molecules --data data"
RIDGE = 1.0
"""The usual value; it was not tuned."""


def main() -> None:
    """Measure, print, and write the page and the card."""
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--draws", type=int, default=DRAWS)
    given = options.parse_args()
    torch.set_num_threads(1)
    card, learner = Card.read(CARD), checkpoint.load(CARD.with_suffix(".safetensors"))
    bits = card.input.model_dump()["bits"]

    assays = [assay for split in SPLITS for group in groups_of(given.data, split, bits) for assay in group]
    found = [measured(assay, shots, learner, bits, given.draws) for assay in assays for shots in SHOTS]
    figures = [each for one in found for each in one.pop("figures")]
    card.with_figures(figures).write(CARD)
    text = table(list(found[0]), [list(one.values()) for one in found])
    print(text)
    PAGE.write_text(filled(PAGE.read_text(), {"molecules": text}))


def measured(assay: Assay, shots: int, learner: Learner, bits: int, draws: int) -> dict[str, Any]:
    """ROC-AUC of the model and of Tanimoto kernel ridge regression on the same draws."""
    encoded = assay._replace(inputs=learner.encode(torch.from_numpy(assay.inputs)).numpy())
    fingerprints = assay._replace(inputs=(assay.inputs[:, :bits] > 0).astype(np.float32))
    own = [auc(answered(learner, each), each) for each in drawn(encoded, shots, draws)]
    other = [auc(tanimoto_ridge(each), each) for each in drawn(fingerprints, shots, draws)]
    about = {"setting": f"{assay.name}, {shots} + {shots} molecules", "metric": "roc_auc", "episodes": draws}
    weights = checkpoint.digest(CARD.with_suffix(".safetensors"))
    figure = Figure(**about, mean=fmean(own), ci95=interval(own), command=COMMAND, checkpoint=weights)
    gains = [one - another for one, another in zip(own, other, strict=True)]
    return {
        "assay": assay.name,
        "examples": f"{shots} + {shots}",
        "`molecules`": f"{fmean(own):.3f} ± {interval(own):.3f}",
        "Tanimoto kernel ridge": f"{fmean(other):.3f} ± {interval(other):.3f}",
        "gain": f"{fmean(gains):+.3f} ± {interval(gains):.3f}",
        "figures": [figure],
    }


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
    return 1.96 * stdev(values) / len(values) ** 0.5


if __name__ == "__main__":
    main()
