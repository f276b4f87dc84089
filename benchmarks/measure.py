"""Measure the models of the zoo, all on the same episodes, and write the figures into their cards.

make table DATA=omniglot.npz, or: python -m benchmarks.measure --data omniglot.npz [MODEL ...]

Each setting has 1000 episodes. If 1000 take longer than `--seconds`, the first 300, 100 or 30 are measured. Run it
again with more time to measure more.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console

from models import checkpoint
from models.learner import Learner
from service.cards import Card, Catalogue, Figure
from service.commands.evaluate import Setting, measure
from service.settings import ZOO

SHAPES = ((5, 1), (5, 5), (20, 1), (20, 5))
QUERIES = 5
EPISODES = (1000, 300, 100, 30)
WAVE_SHOTS, WAVE_STEPS = (5, 10), (1, 5, 10)
WAVE_QUERIES = 10
DIVERGED = 1000.0
"""A mean beyond all accuracies, and beyond the errors of any answer that is of use."""


def settings_of(card: Card, learner: Learner) -> Iterator[Setting]:
    """The settings of a model: the four settings of the literature, or MSE by points and inner steps."""
    if card.training["recipe"]["dataset"] not in ("omniglot", "sinusoid"):
        return  # `handful evaluate --record` measures those
    if card.kind == "regression":
        steps = WAVE_STEPS if hasattr(learner, "eval_inner_steps") else (None,)
        for shots in WAVE_SHOTS:
            for taken in steps:
                yield Setting(card.name, "sinusoid", "sinusoid", False, 0, shots, WAVE_QUERIES, EPISODES[0], taken, 0)
        return
    alphabets = card.training["recipe"]["training_split"].startswith("alphabets")
    for ways, shots in SHAPES:
        if ways <= (card.max_ways or ways):
            split = "alphabets-test" if alphabets else "vinyals-test"
            yield Setting(card.name, "omniglot", split, alphabets, ways, shots, QUERIES, EPISODES[0], None, 0)


def measured(card: Card, setting: Setting) -> int:
    """The number of episodes on which these weights have been measured."""
    found = [f.episodes for f in card.figures if (f.setting, f.checkpoint) == (setting.title(), card.checkpoint)]
    return max(found, default=0)


def affordable(setting: Setting, weights: Path, data: Path | None, seconds: float) -> int:
    """The number of episodes that take about `seconds`, estimated from three episodes."""
    measure(setting._replace(episodes=1), weights, data, "cpu")  # loads the data into memory
    started = time.monotonic()
    measure(setting._replace(episodes=3), weights, data, "cpu")
    each = (time.monotonic() - started) / 3
    return next((episodes for episodes in EPISODES if episodes * each < seconds), EPISODES[-1])


def measure_model(card: Card, folder: Path, data: Path | None, seconds: float) -> None:
    """Measure settings that are missing or have too few episodes. Each figure is written to the card at once."""
    weights = folder / f"{card.name}.safetensors"
    for setting in settings_of(card, checkpoint.load(weights)):
        if measured(card, setting) == EPISODES[0]:
            continue
        episodes = affordable(setting, weights, data, seconds)
        if episodes > measured(card, setting):
            record(setting._replace(episodes=episodes), weights, data)


def record(setting: Setting, weights: Path, data: Path | None) -> None:
    """Measure one setting, and write its figures into the card."""
    figures: list[Figure] = measure(setting, weights, data, "cpu")
    if not all(figure.mean < DIVERGED for figure in figures):  # also False for NaN
        Console().print(f"{setting.model}, {figures[0].setting}: diverges and is left out")
        return
    card = weights.with_suffix(".json")
    Card.read(card).with_figures(figures).write(card)
    Console().print(f"{setting.model}, {figures[0].setting}: {figures[0].metric} {figures[0].value()}")


def main() -> None:
    """Measure the models named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folder", type=Path, default=ZOO)
    parser.add_argument("--seconds", type=float, default=600)
    given = parser.parse_args()
    torch.set_num_threads(1)
    catalogue = Catalogue(given.folder)
    for name in given.models or catalogue:
        measure_model(catalogue[name], given.folder, given.data, given.seconds)


if __name__ == "__main__":
    main()
