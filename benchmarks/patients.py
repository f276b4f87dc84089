"""Measure the model of patients, one hospital left out at a time; write docs/applications.md and the card.

python -m benchmarks.patients --data FOLDER

The folder has heart_four_hospitals.csv.gz. The weights that ship answer the hospital that they were not trained on; for
each of the others, a model is trained without it. The others are logistic regression on the same patients of the
hospital alone, and on all patients of the other hospitals.
"""

import argparse
import os
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.methods import ROOT, filled, table
from benchmarks.molecules import interval
from models import checkpoint
from models.columns import encode
from models.datasets import dataset_of
from models.datasets.patients import CLASSES, FILE, HOSPITALS, columns, read, scaling
from models.learner import Learner, Support
from models.recipes import RECIPES
from models.training.meta_training import Run
from service.arrays import Array
from service.cards import Card, Figure
from service.settings import ZOO

PAGE, CARD = ROOT / "docs/applications.md", ZOO / "patients.json"
COUNTS, DRAWS = (10, 20, 40), 100
COMMAND = "python -m benchmarks.patients --data tables"
METRICS = {"roc_auc": "ROC-AUC", "log_loss": "log-loss", "accuracy": "accuracy"}
Scores = dict[str, list[float]]


class Rows(NamedTuple):
    """Patients (n, d), NaN for what is missing, and their classes (n,)."""

    inputs: Array
    targets: Array


Answer = Callable[[Rows, Array], Array]
"""Probabilities (q, 2) of queries (q, d), after learning from patients."""


def main() -> None:
    """Measure, print, and write the page and the card."""
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--draws", type=int, default=DRAWS)
    options.add_argument("--hospitals", nargs="+", choices=HOSPITALS, default=HOSPITALS)
    given = options.parse_args()
    torch.set_num_threads(1)
    card, lines, figures = Card.read(CARD), list[list[str]](), list[Figure]()
    own = RECIPES["patients"].training_split.removeprefix("without-")
    for hospital in given.hospitals:
        methods = answers_of(given.data, hospital, card)
        for count in COUNTS:
            found = {name: measured(rows_of(given.data, hospital), count, each, given.draws)
                     for name, each in methods.items()}  # fmt: skip
            lines.append([hospital, str(count), *(cell(found, metric) for metric in METRICS)])
            if hospital == own:
                figures += figures_of(f"{hospital}, {count} patients", found["patients"])
    card.with_figures(figures).write(CARD)
    names = " / ".join(found)
    text = table(["hospital", "patients", *(f"{each}: {names}" for each in METRICS.values())], lines)
    print(text)
    PAGE.write_text(filled(PAGE.read_text(), {"patients": text}))


def rows_of(folder: Path, *hospitals: str) -> Rows:
    """The patients of hospitals."""
    tables = [read(folder / FILE)[hospital] for hospital in hospitals]
    inputs = np.concatenate([encode(each.rows, columns()) for each in tables])
    return Rows(inputs, np.array([CLASSES.index(str(label)) for each in tables for label in each.labels]))


def answers_of(folder: Path, hospital: str, card: Card) -> dict[str, Answer]:
    """How each method answers patients of a hospital that it was not trained on."""
    others = rows_of(folder, *(each for each in HOSPITALS if each != hospital))
    pooled = logistic(others)
    return {
        "patients": served(trained_without(folder, hospital), card.temperature),
        "the site alone": lambda own, queries: logistic(own).predict_proba(scaled(queries)),
        "all other sites": lambda own, queries: pooled.predict_proba(scaled(queries)),
    }


def trained_without(folder: Path, hospital: str) -> Learner:
    """The shipped model if it was trained without this hospital, else one that is trained here."""
    recipe, split = RECIPES["patients"], f"without-{hospital}"
    if recipe.training_split == split:
        return checkpoint.load(CARD.with_suffix(".safetensors"))
    sampler = dataset_of("patients").episodes(folder, split, recipe.input)
    with tempfile.TemporaryDirectory() as out:
        run = Run(replace(recipe, training_split=split, validation_split=None), Path(out), "patients")
        deque(run.train(sampler, None, every=recipe.steps), maxlen=0)
    return run.learner.eval().requires_grad_(False)


def served(learner: Learner, temperature: float) -> Answer:
    """The answers of the model as it is served."""

    def answer(own: Rows, queries: Array) -> Array:
        mask = torch.ones(len(own.targets), dtype=torch.bool)
        support = Support(torch.from_numpy(own.inputs), torch.from_numpy(own.targets), mask, 2)
        logits = learner.answer(support, torch.from_numpy(queries))
        probabilities: Array = (logits / temperature).softmax(-1).numpy()
        return probabilities

    return answer


def logistic(rows: Rows) -> LogisticRegression:
    """Logistic regression on the same scaled inputs, the usual value in place of missing ones."""
    return LogisticRegression(max_iter=1000).fit(scaled(rows.inputs), rows.targets)


def scaled(inputs: Array) -> Array:
    """Inputs (n, d) as the model scales them."""
    known = scaling()
    return np.nan_to_num((inputs - known["centres"]) / known["scales"])


def measured(rows: Rows, count: int, answer: Answer, draws: int) -> Scores:
    """The scores of a method on draws of `count` patients; the same draws for every method."""
    found: Scores = {metric: [] for metric in METRICS}
    for seed in range(draws):
        own, asked = parted(rows.targets, count, np.random.default_rng([count, seed]))
        probabilities, truth = answer(Rows(*(each[own] for each in rows)), rows.inputs[asked]), rows.targets[asked]
        right = probabilities[np.arange(len(truth)), truth].clip(1e-15)
        found["roc_auc"].append(float(roc_auc_score(truth, probabilities[:, 1])))
        found["log_loss"].append(float(-np.log(right).mean()))
        found["accuracy"].append(float((probabilities.argmax(1) == truth).mean()))
    return found


def parted(targets: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Patients to learn from, as they come but at least one of each class, and all others."""
    order = rng.permutation(len(targets))
    firsts = [int(order[targets[order] == each][0]) for each in (0, 1)]
    rest = order[~np.isin(order, firsts)]
    return np.array([*firsts, *rest[: count - 2]]), rest[count - 2 :]


def cell(found: Mapping[str, Scores], metric: str) -> str:
    """The means of all methods, and the gain of the first over the better of the others."""
    values = {name: scores[metric] for name, scores in found.items()}
    sign = -1 if metric == "log_loss" else 1
    own, *others = values
    rival = max(others, key=lambda name: sign * fmean(values[name]))
    gains = [sign * (mine - theirs) for mine, theirs in zip(values[own], values[rival], strict=True)]
    return (
        f"{' / '.join(f'{fmean(each):.3f}' for each in values.values())} ({fmean(gains):+.3f} ± {interval(gains):.3f})"
    )


def figures_of(setting: str, scores: Scores) -> Sequence[Figure]:
    """For the card."""
    about = {"setting": setting, "command": COMMAND, "checkpoint": checkpoint.digest(CARD.with_suffix(".safetensors"))}
    return [
        Figure.model_validate(
            about | {"metric": name, "mean": fmean(values), "ci95": interval(values), "episodes": len(values)}
        )
        for name, values in scores.items()
    ]


if __name__ == "__main__":
    main()
