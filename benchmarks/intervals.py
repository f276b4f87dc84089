"""The table of docs/clients.md on intervals: how often they contain the right value, and how wide they are.

    python -m benchmarks.intervals --data FOLDER   # a folder of tables, NAME.csv.gz

What a client would be told is computed as the service does it. Sine waves are new ones; the tables are those of
"tables-report", on which nothing was chosen, with numbers of variance 1.
"""

import argparse
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console

from benchmarks.methods import ROOT, filled, table
from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.learner import Episode, Learner
from service.arrays import Array, SupportSet
from service.cards import Card, Catalogue
from service.engine.device import Device
from service.engine.folds import choices, folds, parts, same_inputs
from service.engine.jobs import AdaptJob, HeldOut
from service.errors import TooFewExamples
from service.settings import ZOO, Settings
from service.use_cases.intervals import half_widths
from service.use_cases.quality import Judged, Quality

PAGE = ROOT / "docs/clients.md"
LEVELS, SIZES, QUERIES = (0.8, 0.9, 0.95), (3, 5, 10, 20, 40), 50
SEED = 7
"""Differs from the seed of the tasks on which the errors in the cards were measured."""


class Measured(NamedTuple):
    """The source of an interval, the share of values in it, and its half width."""

    source: str
    covered: float
    half: float


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row
        for model, split in (("sinusoid", "sinusoid"), ("tables-regression", "tables-report"))
        for row in section(model, split, given.data, given.episodes)
    ]
    head = ["model", "examples", *(f"{100 * level:g} %" for level in LEVELS)]
    PAGE.write_text(filled(PAGE.read_text(), {"intervals": table(head, rows)}))


def section(model: str, split: str, data: Path, episodes: int) -> list[list[str]]:
    """The rows of one model."""
    card, learner = Catalogue(ZOO)[model], checkpoint.load(ZOO / f"{model}.safetensors")
    dataset = dataset_of(card.training["recipe"]["dataset"])
    tasks = dataset.episodes(data if dataset.splits[split] else None, split, card.input.model_dump())
    rows = []
    for size in SIZES:
        clients = [client(card, learner, tasks, size, seed) for seed in range(episodes)]
        rows.append([f"`{model}`", str(size), *(cell([each[level] for each in clients]) for level in LEVELS)])
        Console().print(rows[-1])
    return rows


def cell(found: list[Measured | None]) -> str:
    """Coverage in %, the median half width, and the source."""
    there = [each for each in found if each is not None]
    if not there:
        return "refused"
    covered, half = fmean(each.covered for each in there), median(each.half for each in there)
    return f"{100 * covered:.1f} (± {half:.2f}, {there[0].source})"


@torch.no_grad()
def client(
    card: Card, learner: Learner, tasks: EpisodeSampler, examples: int, seed: int
) -> dict[float, Measured | None]:
    """The intervals of one client, at each level, their half widths in what its errors are counted in."""
    episode = tasks.episode(rng_of(SEED, seed), Shape(0, examples, QUERIES))
    errors = errors_of(card, learner.answer(episode.support, episode.query).numpy(), episode.targets.numpy())
    judged = judged_of(card, learner, episode)
    return {level: measured(judged, card, errors, level) for level in LEVELS}


def measured(judged: Judged, card: Card, errors: Array, level: float) -> Measured | None:
    """The interval at a level; None if it is refused."""
    try:
        source, half = half_widths(judged, card, level)
    except TooFewExamples:
        return None
    return Measured(source, float((errors <= half).mean()), float(half[0]))


def errors_of(card: Card, answers: Array, targets: Array) -> Array:
    """The absolute errors (n, outputs), in standard deviations if the model predicts them."""
    values, deviations = card.parted(answers)
    errors: Array = np.abs(values - targets) / (1 if deviations is None else deviations)
    return errors


def judged_of(card: Card, learner: Learner, episode: Episode) -> Judged:
    """The errors of a client's own examples, each left out."""
    inputs, targets = episode.support.inputs.numpy(), episode.support.targets.numpy()
    device = Device({card.name: learner}, Settings(), compiling=False)
    same = same_inputs(inputs)
    fold = folds(same, targets, 0, choices(int(same.max()) + 1)[0])
    places = parts(fold)
    answers = np.full((len(targets), targets.shape[1] * (2 if card.deviations else 1)), np.nan, np.float32)
    for own, found in zip(
        places, device.held_out(AdaptJob(card.name, "", SupportSet(inputs, targets, 0)), places), strict=True
    ):
        assert isinstance(found, HeldOut)
        answers[own] = found.answers
    kept = fold >= 0
    quality = Quality(client_id="", model=card.name, version=1, examples=len(targets))
    return Judged(quality, errors=errors_of(card, answers[kept], targets[kept]), spread=np.ptp(targets, axis=0))


if __name__ == "__main__":
    main()
