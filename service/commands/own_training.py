"""handful train NAME --data FILE: meta-train on data of the user's own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler
from models.datasets.own.columns import Columns
from models.datasets.own.data import Own
from models.datasets.own.dataset import options, read_texts
from models.datasets.own.splits import TRAIN, VALIDATION
from models.recipes import Recipe
from models.recipes.own import texts_recipe
from models.training import distributed
from models.training.meta_training import Progress
from service.commands.own_models import Base, base_of, check_name, serve_hint
from service.commands.train import report, run_recipe
from service.settings import Settings

VALIDATIONS = 5
"""Validations of a training, besides the one before it."""


def train_own(
    name: str,
    data: Path,
    columns: Columns,
    *,
    steps: int | None,
    every: int | None,
    seed: int,
    device: str,
    threads: int,
    settings: Settings,
) -> None:
    """Meta-train on own data, and write checkpoint, card and curve into the folder of own models.

    The weights that are kept are those with the best validation score, among them the weights before the training.
    """
    check_name(name, settings)
    torch.set_num_threads(threads)
    own = read_texts(data, columns, seed)
    Console().print("\n".join(own.summary()), markup=False, highlight=False, soft_wrap=True)
    base = base_of(name, "texts", settings)
    recipe = _recipe(own, base, seed)
    if steps is not None and recipe.steps:
        recipe = replace(recipe, steps=steps)
    every = every or max(1, recipe.steps // VALIDATIONS)
    with distributed.joined(device) as own_device:
        run = run_recipe(
            name, recipe, data, settings.own_models, base.weights, every=every, seed=seed, device=own_device
        )
    if run is None:
        return
    how = {"command": _command(name, own, steps, seed), "seed": seed, "device": device, "threads": threads}
    if base.weights is None:
        how["added"] = base.spec.__dict__
    report(name, recipe, run.progress, data, settings.own_models, how)
    Console().print(_outcome(recipe, run.progress), serve_hint(name), soft_wrap=True)


def _recipe(own: Own, base: Base, seed: int) -> Recipe:
    opened = options(own.columns, seed)
    training, validation = (_episodes(own, base, split, opened) for split in (TRAIN, VALIDATION))
    rows = sum(each.split == TRAIN for each in own.examples)
    title = f"Texts, meta-trained on {own.path.name}"
    recipe = texts_recipe(title, base.spec, base.input, training, validation, opened, rows)
    return replace(recipe, limits=(*base.limits, f"Meta-trained on texts like those of {own.path.name}."))


def _episodes(own: Own, base: Base, split: str, opened: dict[str, Any]) -> EpisodeSampler:
    return dataset_of("own-texts").episodes(own.path, split, base.input, **opened)


def _command(name: str, own: Own, steps: int | None, seed: int) -> str:
    given = f"--steps {steps}" if steps else ""
    parts = ["handful train", name, f"--data {own.path.name}", own.columns.command(), given, f"--seed {seed}"]
    return " ".join(filter(None, parts))


def _outcome(recipe: Recipe, progress: Progress) -> str:
    """Whether training helped, in a sentence."""
    if not recipe.steps:
        return "There are too few examples to train and validate on: the model is as it was before."
    (_, before), *later = progress.scores
    step, best = max(later, key=lambda point: point[1])
    shape = recipe.validation_episode.title()
    scores = f"validation accuracy, {shape}: {before:.4f} before the training, {best:.4f} after step {step}."
    if best > before:
        return f"Training helped: {scores}"
    return f"Training did not help, and the weights before it are kept: {scores}"
