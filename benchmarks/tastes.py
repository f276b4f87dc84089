"""Measure the model of tastes on people that it has not seen; write docs/applications.md and the card.

python -m benchmarks.tastes [--movielens FOLDER]

With the folder of a MovieLens data set (ratings.csv and movies.csv), the recipe is also trained on its people and
measured on others of them. That model is not shipped: the terms of the data allow no commercial use.
"""

import argparse
import os
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from benchmarks.methods import ROOT, filled, table
from benchmarks.molecules import interval
from models import checkpoint
from models.checkpoint import Spec
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.item_factors import FACTORS
from models.datasets.tastes import FEATURES, GENRES, MIDDLE, SHRUNK
from models.learner import Episode, Learner, Support
from models.learners.ridge import ridge_regression
from models.recipes import RECIPES
from models.training.meta_training import Run
from service.cards import Card, Figure
from service.settings import ZOO

PAGE, CARD = ROOT / "docs/applications.md", ZOO / "tastes.json"
COUNTS, QUERIES, PEOPLE, SEED = (3, 10, 25), 20, 500, 0
COMMAND = "python -m benchmarks.tastes"
MEAN = len(GENRES) + 1
"""The feature that is the mean rating of a film, less `MIDDLE`."""
RIDGE = 10.0
"""On the weights of films."""
EVERY = slice(None)
Answer = Callable[[Support, Tensor], Tensor]
Errors = Mapping[str, Sequence[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page and the card."""
    options = argparse.ArgumentParser()
    options.add_argument("--movielens", type=Path)
    options.add_argument("--people", type=int, default=PEOPLE)
    given = options.parse_args(arguments)
    torch.set_num_threads(1)
    usual = {"film mean + offset": mean_and_offset, "ridge on films": ridge}
    sampler = dataset_of("tastes").episodes(None, "made", RECIPES["tastes"].input)
    made = measured(sampler, {"tastes": shipped().answer} | usual, given.people)
    Card.read(CARD).with_figures([figure(count, errors["tastes"]) for count, errors in made.items()]).write(CARD)
    parts = {"tastes": shown(made)}
    if given.movielens:
        people = dataset_of("tastes").episodes(given.movielens, "movielens-factors-test", RECIPES["tastes"].input)
        parts["movielens"] = shown(measured(people, on_movielens(given.movielens), given.people))
    print(*parts.values(), sep="\n")
    PAGE.write_text(filled(PAGE.read_text(), parts))


def shipped() -> Learner:
    """The weights that ship."""
    return checkpoint.load(CARD.with_suffix(".safetensors"))


def on_movielens(folder: Path) -> dict[str, Answer]:
    """The methods, for episodes whose films have their features and then their factors."""
    own, with_factors = trained(folder, "movielens", FEATURES), trained(folder, "movielens-factors", FEATURES + FACTORS)
    return {
        "tastes, with item factors": with_factors.answer,
        "tastes": partial(of_part, own.answer, slice(FEATURES)),
        "film mean + offset": mean_and_offset,
        "ridge on films": partial(ridge, part=slice(FEATURES)),
        "ridge on item factors": partial(ridge, part=slice(FEATURES, None)),
    }


def of_part(answer: Answer, part: slice, support: Support, query: Tensor) -> Tensor:
    """The answers from some of the numbers of each film."""
    return answer(support._replace(inputs=support.inputs[:, part]), query[:, part])


def trained(folder: Path, split: str, length: int) -> Learner:
    """The recipe, trained on people of MovieLens whose films are so many numbers."""
    spec, inputs = Spec("alpaca", "identity", {"features": length}), {"type": "vector", "length": length}
    recipe = replace(RECIPES["tastes"], spec=spec, training_split=split, validation_split=None, input=inputs)
    sampler = dataset_of("tastes").episodes(folder, split, inputs)
    with tempfile.TemporaryDirectory() as out:
        run = Run(recipe, Path(out), "tastes")
        deque(run.train(sampler, None, every=recipe.steps), maxlen=0)
    return run.learner.eval().requires_grad_(False)


def measured(sampler: EpisodeSampler, methods: Mapping[str, Answer], people: int) -> dict[int, Errors]:
    """The MSE of each method for each person, by the number of ratings; the same people for every method."""
    return {
        count: {
            name: [error(answer, each) for each in sampler.episodes(Shape(0, count, QUERIES), people, SEED)]
            for name, answer in methods.items()
        }
        for count in COUNTS
    }


def error(answer: Answer, episode: Episode) -> float:
    """The MSE of one person."""
    return float((answer(episode.support, episode.query) - episode.targets).square().mean())


def mean_and_offset(support: Support, query: Tensor) -> Tensor:
    """The mean of a film, plus how much the person rates above the means, shrunk."""
    left = support.targets - means(support.inputs)
    return means(query) + left.sum() / (len(left) + SHRUNK)


def ridge(support: Support, query: Tensor, part: slice = EVERY) -> Tensor:
    """Ridge regression of what mean and offset leave, on some of the numbers of films."""
    left = support.targets - mean_and_offset(support, support.inputs)
    weights = ridge_regression(support.inputs[:, part], left, torch.tensor(RIDGE))
    return mean_and_offset(support, query) + query[:, part] @ weights


def means(films: Tensor) -> Tensor:
    """The mean ratings of films, (n, 1)."""
    return MIDDLE + films[:, MEAN : MEAN + 1]


def figure(count: int, errors: Sequence[float]) -> Figure:
    """For the card."""
    return Figure(
        setting=f"made people, {count} ratings",
        metric="mse",
        mean=fmean(errors),
        ci95=interval(errors),
        episodes=len(errors),
        command=COMMAND,
        checkpoint=checkpoint.digest(CARD.with_suffix(".safetensors")),
    )


def shown(found: Mapping[int, Errors]) -> str:
    """A row for each number of ratings, and the gain over the better of the others."""
    return table(["ratings", *found[COUNTS[0]], "gain"], [[str(count), *_row(found[count])] for count in COUNTS])


def _row(errors: Errors) -> list[str]:
    own, *others = errors.values()
    rival = min(others, key=fmean)
    gains = [theirs - mine for mine, theirs in zip(own, rival, strict=True)]
    cells = [f"{fmean(each):.3f} ± {interval(each):.3f}" for each in errors.values()]
    return [*cells, f"{fmean(gains):+.3f} ± {interval(gains):.3f}"]


if __name__ == "__main__":
    main()
