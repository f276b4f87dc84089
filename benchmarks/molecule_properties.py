"""Measure the regression of molecules beside two usual baselines; write docs/applications.md and the card.

python -m benchmarks.molecule_properties --data FOLDER

The folder has molecules/{esol,lipophilicity}.csv.gz. All molecules that are learned from and asked are held out:
nothing was chosen on them.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks import figures
from benchmarks.figures import Table, figure_of
from benchmarks.intervals import errors_of, judged_of
from benchmarks.molecules import RIDGE, tanimoto
from models import checkpoint
from models.datasets.molecule_properties import Property, draw, properties_of
from models.learner import Episode, Learner
from service.arrays import Array
from service.cards import Card, Figure
from service.settings import ZOO
from service.use_cases.intervals import half_widths

CARD = ZOO / "molecules-regression.json"
SPLITS, SHOTS, DRAWS, LEVEL = ("esol", "lipophilicity"), (10, 20, 40), 100, 0.9
COMMAND = "python -m benchmarks.molecule_properties --data data"
Answer = Callable[[Episode], Array]
Scores = Mapping[str, Sequence[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page and the card."""
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--draws", type=int, default=DRAWS)
    given = options.parse_args(arguments)
    torch.set_num_threads(1)
    card, learner = Card.read(CARD), checkpoint.load(CARD.with_suffix(".safetensors"))
    bits = card.input.model_dump()["bits"]
    methods: dict[str, Answer] = {
        "`molecules-regression`": lambda episode: card.parted(learner.answer(episode.support, episode.query).numpy())[
            0
        ],
        "Tanimoto kernel ridge": lambda episode: tanimoto_ridge(episode, bits),
        "ridge on properties": lambda episode: ridge(episode, bits),
    }
    rows, own = [], []
    for measured in (each for split in SPLITS for each in properties_of(given.data, split, bits)):
        for shots in SHOTS:
            episodes = list(drawn(measured, shots, given.draws))
            for name, answer in methods.items():
                scores = scores_of(answer, episodes)
                cover = [covered(card, learner, each) for each in episodes] if name.startswith("`") else []
                rows.append(
                    [measured.name, str(shots), name, *map(rounded, scores.values()), rounded(cover) if cover else ""]
                )
                own += figures_of(measured.name, shots, scores) if cover else []
                print(*rows[-1], sep=" | ", flush=True)
    card.with_figures(own).write(CARD)
    figures.publish({"molecule-properties": Table(["property", "molecules", "method", "RMSE", "MAE", "in 90 %"], rows)})


def rounded(values: Sequence[float]) -> figures.Figure:
    """The mean of scores, with its interval over draws."""
    return figure_of(values, 3)


def drawn(measured: Property, shots: int, draws: int) -> Iterator[Episode]:
    """Draws that are the same for all methods."""
    return (draw(measured, np.random.default_rng([shots, seed]), shots, None) for seed in range(draws))


def scores_of(answer: Answer, episodes: Sequence[Episode]) -> dict[str, list[float]]:
    """RMSE and MAE of each draw."""
    errors = [answer(each) - each.targets.numpy() for each in episodes]
    return {
        "rmse": [float(np.sqrt(np.square(each).mean())) for each in errors],
        "mae": [float(np.abs(each).mean()) for each in errors],
    }


def covered(card: Card, learner: Learner, episode: Episode) -> float:
    """The share of the values within the intervals that the service gives at `LEVEL`."""
    errors = errors_of(card, learner.answer(episode.support, episode.query).numpy(), episode.targets.numpy())
    _, half = half_widths(judged_of(card, learner, episode), card, LEVEL)
    return float((errors <= half).mean())


def tanimoto_ridge(episode: Episode, bits: int) -> Array:
    """Kernel ridge regression with the Tanimoto kernel on the bits of the fingerprint, around the mean."""
    own, asked = ((each[:, :bits] > 0).float().numpy() for each in (episode.support.inputs, episode.query))
    values = episode.support.targets.numpy()
    system = tanimoto(own, own) + RIDGE * np.eye(len(own))
    answers: Array = values.mean() + tanimoto(asked, own) @ np.linalg.solve(system, values - values.mean())
    return answers


def ridge(episode: Episode, bits: int) -> Array:
    """Ridge regression on the properties, which are standardised on the examples."""
    own, asked = (each[:, bits:].double().numpy() for each in (episode.support.inputs, episode.query))
    mean, deviation = own.mean(0), own.std(0)
    own, asked = ((each - mean) / np.where(deviation > 1e-6, deviation, 1) for each in (own, asked))
    values = episode.support.targets.numpy()
    weights = np.linalg.solve(own.T @ own + RIDGE * np.eye(own.shape[1]), own.T @ (values - values.mean()))
    answers: Array = values.mean() + asked @ weights
    return answers


def figures_of(name: str, shots: int, scores: Scores) -> list[Figure]:
    """For the card."""
    weights = checkpoint.digest(CARD.with_suffix(".safetensors"))
    return [
        Figure(
            setting=f"{name}, {shots} molecules",
            metric=metric,
            mean=float(np.mean(values)),
            ci95=float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5),
            episodes=len(values),
            command=COMMAND,
            checkpoint=weights,
        )
        for metric, values in scores.items()
    ]


if __name__ == "__main__":
    main()
