"""Measure `tables` and `tables-regression` beside scikit-learn, and write the figures into docs/tables.md and the cards.

python -m benchmarks.tables --data FOLDER
"""

import argparse
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from benchmarks.methods import ROOT, filled
from benchmarks.table_features import features
from models import checkpoint
from models.datasets.tables import CLASSIFICATION, REGRESSION, Drawn, Table, draw, episode_of, read
from models.learner import Learner
from service.arrays import Array
from service.cards import Card, Figure
from service.settings import ZOO

PAGE = ROOT / "docs/tables.md"
ROWS, QUERIES, WAYS, DRAWS = (16, 32, 64, 128), 300, 5, 10
SPLIT = "tables-report"
COMMAND = "python -m benchmarks.tables --data tables"
Answer = Callable[[Drawn], Array]
Scores = Mapping[str, float]
Results = dict[str, dict[int, list[Scores]]]
"""The scores of each method, by the number of rows."""


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
    own = [read(folder, task) for task in CLASSIFICATION[SPLIT]]
    diabetes = bundled("diabetes", datasets.load_diabetes)
    above = [str(label > 140) for label in diabetes.labels]
    digits = bundled("digits", datasets.load_digits)
    wine = bundled("wine", datasets.load_wine)
    return [*own, wine, digits, Table("diabetes > 140", diabetes.rows, above)]


def regression_tables(folder: Path) -> list[Table]:
    """The tables of the report with numbers to predict."""
    return [*(read(folder, task) for task in REGRESSION[SPLIT]), bundled("diabetes", datasets.load_diabetes)]


def bundled(name: str, load: Callable[[], Mapping[str, Array]]) -> Table:
    """A table that comes with scikit-learn."""
    found = load()
    names = [str(each) for each in found["feature_names"]]
    rows = [dict(zip(names, row, strict=True)) for row in found["data"].tolist()]
    return Table(name, rows, [str(label) if name != "diabetes" else float(label) for label in found["target"]])


def served(learner: Learner, card: Card) -> Answer:
    """The answers of the model as it is served: probabilities (q, ways), or values (q,)."""

    def answer(drawn: Drawn) -> Array:
        episode = episode_of(drawn)
        with torch.no_grad():
            answers = learner.answer(episode.support, episode.query).numpy()
        return card.probabilities(answers) if drawn.ways else answers[:, 0]

    return answer


def fitted(make: Callable[[], object]) -> Answer:
    """The answers of an estimator of scikit-learn, on imputed, scaled and one-hot features."""

    def answer(drawn: Drawn) -> Array:
        rows, queries = features(drawn.rows, drawn.queries)
        estimator = make().fit(rows, drawn.targets)
        return estimator.predict_proba(queries) if drawn.ways else estimator.predict(queries)

    return answer


CLASSIFIERS: dict[str, Answer] = {
    "logistic regression": fitted(lambda: LogisticRegression(max_iter=1000)),
    "random forest": fitted(lambda: RandomForestClassifier(random_state=0)),
}
REGRESSORS: dict[str, Answer] = {
    "ridge": fitted(Ridge),
    "random forest": fitted(lambda: RandomForestRegressor(random_state=0)),
}


def section(model: str, tables: Sequence[Table], ways: int, others: Mapping[str, Answer], draws: int) -> str:
    """Measure one model beside others, write its card, and return the table for the page."""
    path = ZOO / f"{model}.json"
    card, learner = Card.read(path), checkpoint.load(path.with_suffix(".safetensors"))
    methods = {model: served(learner, card)} | others
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


def figures(found: Sequence[Scores], count: int, digest: str) -> list[Figure]:
    """For the card: means over tables and draws, with their intervals."""
    return [
        Figure(setting=f"{count} rows", metric=metric, mean=fmean(values), ci95=interval(values), episodes=len(values),
               command=COMMAND, checkpoint=digest)
        for metric in found[0]
        for values in [[one[metric] for one in found]]
    ]  # fmt: skip


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    return 1.96 * stdev(values) / len(values) ** 0.5


def table(results: Results) -> str:
    """A row for each number of rows: each metric of all methods, and the gain over the better of the others."""
    own, *others = results
    metrics = list(results[own][ROWS[0]][0])
    lines = [f"| rows | {' | '.join(f'{metric}: {" / ".join(results)} | gain' for metric in metrics)} |"]
    lines.append("| --- " * (1 + 2 * len(metrics)) + "|")
    for count in ROWS:
        cells = [cell for metric in metrics for cell in _cells(results, own, others, metric, count)]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(results: Results, own: str, others: Sequence[str], metric: str, count: int) -> list[str]:
    values = {name: [one[metric] for one in results[name][count]] for name in results}
    sign = -1 if metric in ("log_loss", "mse") else 1
    rival = max(others, key=lambda name: sign * fmean(values[name]))
    gains = [sign * (mine - theirs) for mine, theirs in zip(values[own], values[rival], strict=True)]
    means = " / ".join(f"{fmean(each):.3f}" for each in values.values())
    return [means, f"{fmean(gains):+.3f} ± {interval(gains):.3f}"]


if __name__ == "__main__":
    main()
