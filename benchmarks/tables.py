"""Measure the models of tables beside scikit-learn, and write docs/tables.md and the cards.

python -m benchmarks.tables --data FOLDER
"""

import argparse
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.methods import ROOT, filled
from benchmarks.table_report import Scores, figures, table
from models import checkpoint
from models.datasets.bundled_tables import bundled
from models.datasets.table_tasks import CLASSIFICATION, REGRESSION
from models.datasets.tables import Drawn, Table, draw, episode_of, read
from models.learner import Kind, Learner
from models.training.table_baselines import REGRESSORS as BASELINES
from models.training.table_baselines import features
from service.arrays import Array
from service.cards import Card
from service.settings import ZOO

PAGE = ROOT / "docs/tables.md"
ROWS, QUERIES, WAYS, DRAWS = (16, 32, 64, 128), 300, 5, 5
SPLIT = "tables-report"
Answer = Callable[[Drawn], Array]


def main() -> None:
    """Measure, print, and write the page and the cards."""
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--draws", type=int, default=DRAWS)
    given = options.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")  # solvers that have not converged, on sixteen rows
    classes, numbers = classification_tables(given.data), regression_tables(given.data)
    parts = {
        "classification": section("tables", classes, WAYS, CLASSIFIERS, given.draws),
        "regression": section("tables-regression", numbers, 0, REGRESSORS, given.draws),
    }
    PAGE.write_text(filled(PAGE.read_text(), parts))


def classification_tables(folder: Path) -> list[Table]:
    """The tables of the report with classes."""
    own = [read(folder, task, Kind.CLASSIFICATION) for task in CLASSIFICATION[SPLIT]]
    diabetes = bundled("diabetes", datasets.load_diabetes)
    above = [str(float(label) > 140) for label in diabetes.labels]
    digits = bundled("digits", datasets.load_digits)
    wine = bundled("wine", datasets.load_wine)
    return [*own, wine, digits, Table("diabetes > 140", diabetes.rows, above)]


def regression_tables(folder: Path) -> list[Table]:
    """The tables of the report with numbers to predict."""
    return [
        *(read(folder, task, Kind.REGRESSION) for task in REGRESSION[SPLIT]),
        bundled("diabetes", datasets.load_diabetes),
    ]


def served(learner: Learner, card: Card) -> Answer:
    """The answers of the model as it is served: probabilities (q, ways), or values (q,)."""

    def answer(drawn: Drawn) -> Array:
        episode = episode_of(drawn)
        with torch.no_grad():
            answers = learner.answer(episode.support, episode.query).numpy()
        return card.probabilities(answers) if drawn.ways else answers[:, 0]

    return answer


def fitted(make: Callable[[], Any]) -> Answer:
    """The answers of an estimator of scikit-learn, on imputed, scaled and one-hot features."""

    def answer(drawn: Drawn) -> Array:
        rows, queries = features(drawn.rows, drawn.queries)
        estimator = make().fit(rows, drawn.targets)
        found: Array = estimator.predict_proba(queries) if drawn.ways else estimator.predict(queries)
        return found

    return answer


CLASSIFIERS: dict[str, Answer] = {
    "logistic regression": fitted(lambda: LogisticRegression(max_iter=1000)),
    "random forest": fitted(lambda: RandomForestClassifier(random_state=0)),
}
REGRESSORS: dict[str, Answer] = {name: fitted(make) for name, make in BASELINES.items()}


def section(model: str, tables: Sequence[Table], ways: int, others: Mapping[str, Answer], draws: int) -> str:
    """Measure one model beside others, write its card, and return the table for the page."""
    path = ZOO / f"{model}.json"
    card, learner = Card.read(path), checkpoint.load(path.with_suffix(".safetensors"))
    methods = {model: served(learner, card), **others}
    results = {
        name: {count: measured(answer, tables, count, ways, draws) for count in ROWS}
        for name, answer in methods.items()
    }
    digest = checkpoint.digest(path.with_suffix(".safetensors"))
    card.with_figures([each for count in ROWS for each in figures(results[model][count], count, digest)]).write(path)
    text = table(results)
    print(text, flush=True)
    return text


def measured(answer: Answer, tables: Sequence[Table], count: int, ways: int, draws: int) -> list[Scores]:
    """The scores of a method on draws of `count` rows; the same draws for every method."""
    drawn = (
        draw(one, np.random.default_rng([index, count, seed]), count, QUERIES, ways)
        for index, one in enumerate(tables)
        for seed in range(draws)
        if count + QUERIES // 6 <= len(one.rows)
    )
    return [scores(answer(each), each) for each in drawn]


def scores(answers: Array, drawn: Drawn) -> Scores:
    """Accuracy and log-loss; R2 and MSE, as a fraction of the variance of the support, for regression."""
    truth = np.array(drawn.answers)
    if not drawn.ways:
        error = np.square(answers - truth).mean()
        return {"r2": 1 - error / truth.var(), "mse": error / np.var(drawn.targets)}
    right = answers[np.arange(len(truth)), truth].clip(1e-15)
    return {"accuracy": float((answers.argmax(1) == truth).mean()), "log_loss": float(-np.log(right).mean())}


if __name__ == "__main__":
    main()
