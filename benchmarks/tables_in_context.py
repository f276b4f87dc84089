"""The learning curve of tables-icl on its validation tables, beside other methods on the same rows.

python -m benchmarks.tables_in_context runs/tables-icl.*.safetensors --picture docs/tables-icl.png

With --report FOLDER, the last file is measured on the tables of the report, as benchmarks/tables.py measures `tables`.

The files are checkpoints of one training, or its states. Validation tables are synthetic ones that are not trained on,
and those that come with scikit-learn. No table of the report is used for the curve.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from benchmarks.table_report import Scores, table
from benchmarks.tables import CLASSIFIERS, DRAWS, ROWS, WAYS, classification_tables, served
from benchmarks.tables import measured as measured_rows
from models import checkpoint
from models.datasets.bundled_tables import choice_tables
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.synthetic_tables import SyntheticTables
from models.datasets.tables import Drawn, Tables, episode_of
from models.learner import Episode, Learner
from models.training.meta_training import VALIDATION_SEED
from models.training.training_state import under
from service.arrays import Array
from service.cards import Card
from service.settings import ZOO

Answer = Callable[[Episode], Tensor]
"""The probabilities (q, ways) of the queries of an episode."""
SHAPES = tuple(Shape(2, rows // 2, 25) for rows in (16, 32, 64))
EPISODES = 50


class Point(NamedTuple):
    """A point of the curve: means over all sizes."""

    accuracy: float
    log_loss: float


def main() -> None:
    """Measure, print and draw."""
    options = argparse.ArgumentParser()
    options.add_argument("checkpoints", type=Path, nargs="*")
    options.add_argument("--picture", type=Path)
    options.add_argument("--report", type=Path)
    options.add_argument("--episodes", type=int, default=EPISODES)
    given = options.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")  # solvers that have not converged, on sixteen rows
    if given.report:
        print(table(reported(opened(given.checkpoints[-1])[1], given.report)))
        return
    groups: dict[str, EpisodeSampler] = {"scikit-learn": Tables(choice_tables()), "synthetic": SyntheticTables(24)}
    episodes = {name: list(drawn(sampler, given.episodes)) for name, sampler in groups.items()}
    others = {
        name: {group: measured(answer, each) for group, each in episodes.items()} for name, answer in OTHERS.items()
    }
    curve, both = {}, {}
    for path in given.checkpoints:
        steps, learner = opened(path)
        curve[steps] = {group: measured(answered(learner), each) for group, each in episodes.items()}
        mean = average(answered(learner), OTHERS["`tables`"])
        both[f"{steps:,} steps, average with `tables`"] = {g: measured(mean, each) for g, each in episodes.items()}
    ours = {f"{steps:,} steps": curve[steps] for steps in sorted(curve)}
    for name, points in (others | ours | both).items():
        print(f"| {name} | {' | '.join(f'{p.accuracy:.3f} | {p.log_loss:.3f}' for p in points.values())} |", flush=True)
    if given.picture:
        draw(curve, others, given.picture)


def reported(learner: Learner, folder: Path) -> dict[str, dict[int, list[Scores]]]:
    """The scores on the tables of the report, and those of the average with `tables`."""
    card = Card.read(ZOO / "tables.json")
    head, read = served(checkpoint.load(ZOO / "tables.safetensors"), card), answered(learner)
    answers: dict[str, Callable[[Drawn], Array]] = {
        "tables-icl": lambda one: read(episode_of(one)).numpy(),
        **CLASSIFIERS,
        "tables": head,
        "average of both": lambda one: (read(episode_of(one)).numpy() + head(one)) / 2,
    }
    found = classification_tables(folder)
    return {
        name: {count: measured_rows(answer, found, count, WAYS, DRAWS) for count in ROWS}
        for name, answer in answers.items()
    }


def drawn(sampler: EpisodeSampler, count: int) -> Iterator[Episode]:
    """The same validation episodes for every method."""
    for shape in SHAPES:
        yield from sampler.episodes(shape, count, VALIDATION_SEED)


def opened(path: Path) -> tuple[int, Learner]:
    """The steps that a state of a training has taken, 0 for a checkpoint, and the averaged learner."""
    tensors, header = checkpoint.read(path)
    learner = checkpoint.build(header["spec"])
    learner.load_state_dict(under("average.", tensors) or tensors)
    return header.get("progress", {}).get("step", 0), learner.eval().requires_grad_(False)


def answered(learner: Learner) -> Answer:
    """The probabilities of a learner, without calibration."""

    def answer(episode: Episode) -> Tensor:
        with torch.no_grad():
            return learner.answer(episode.support, episode.query).softmax(-1)

    return answer


def average(*answers: Answer) -> Answer:
    """The mean of the probabilities of several methods."""
    return lambda episode: torch.stack([answer(episode) for answer in answers]).mean(0)


def fitted(make: Callable[[], Any]) -> Answer:
    """The probabilities of an estimator of scikit-learn on imputed and scaled features."""

    def answer(episode: Episode) -> Tensor:
        estimator = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), make())
        estimator.fit(episode.support.inputs.numpy(), episode.support.targets.numpy())
        return torch.from_numpy(estimator.predict_proba(episode.query.numpy()))

    return answer


OTHERS: dict[str, Answer] = {
    "class frequencies": lambda episode: (
        torch.bincount(episode.support.targets).float().expand(len(episode.query), -1) / len(episode.support.targets)
    ),
    "logistic regression": fitted(lambda: LogisticRegression(max_iter=1000)),
    "random forest": fitted(lambda: RandomForestClassifier(random_state=0)),
    "`tables`": answered(checkpoint.load(ZOO / "tables.safetensors")),
}


def measured(answer: Answer, episodes: Sequence[Episode]) -> Point:
    """The mean scores of a method."""
    found = [(answer(episode), episode.targets) for episode in episodes]
    right = [fmean((p.argmax(1) == t).float().tolist()) for p, t in found]
    loss = [-p[torch.arange(len(t)), t].clamp(min=1e-15).log().mean().item() for p, t in found]
    return Point(fmean(right), fmean(loss))


def draw(curve: dict[int, dict[str, Point]], others: dict[str, dict[str, Point]], path: Path) -> None:
    """The accuracy over the steps of the training, with the other methods as lines."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        for axes, group in zip(np.atleast_1d(figure.subplots(1, 2)), ("scikit-learn", "synthetic"), strict=True):
            axes.set(title=f"{group} validation tables", xlabel="steps", ylabel="accuracy")
            steps = sorted(curve)
            axes.plot(steps, [curve[each][group].accuracy for each in steps], marker=".", label="tables-icl")
            for index, name in enumerate(("logistic regression", "random forest", "`tables`")):
                axes.axhline(others[name][group].accuracy, ls="--", lw=1, color=f"C{index + 1}", label=name.strip("`"))
        axes.legend(frameon=False, loc="lower right")
        figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
