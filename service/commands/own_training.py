"""handful train NAME --data FILE: meta-train on data of the user's own."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from rich.console import Console

from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler
from models.datasets.own.columns import Columns
from models.datasets.own.dataset import dataset_name, options, read_own
from models.datasets.own.examples import Own
from models.datasets.own.opening import type_of
from models.datasets.own.splits import TRAIN, VALIDATION
from models.learner import Kind, Learner
from models.recipes import Recipe
from models.recipes.own import OwnTraining
from models.training import distributed
from models.training.evaluation import HEADLINE, evaluate
from models.training.meta_training import VALIDATION_EPISODES, VALIDATION_SEED
from models.training.progress import Progress
from service.commands.own_models import Base, base_of, check_name, columns_for, known_type, serve_hint
from service.commands.train import report, run_recipe
from service.settings import Settings

VALIDATIONS = 5
"""Validations of a training."""


class Gain(NamedTuple):
    """The validation scores before and after a training, and the standard error of the difference over episodes: the
    accuracy, or the MSE."""

    before: float
    after: float
    error: float
    kind: Kind = Kind.CLASSIFICATION

    @property
    def certain(self) -> bool:
        """Whether training has helped by more than chance may do."""
        gain = self.after - self.before
        return (-gain if self.kind is Kind.REGRESSION else gain) > self.error


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

    The trained weights are kept only if they are better on the validation split than the model before the training.
    """
    check_name(name, settings)
    torch.set_num_threads(threads)
    type, regression = known_type(name, settings) or type_of(data, columns)
    own = read_own(data, type, columns_for(name, columns, regression=regression), seed)
    console, out = Console(), settings.own_models
    console.print("\n".join(own.summary()), markup=False, highlight=False, soft_wrap=True)
    base = base_of(name, type, settings, regression=regression)
    recipe = _recipe(own, base, seed, steps)
    every = every or max(1, recipe.steps // VALIDATIONS)
    with distributed.joined(device) as own_device:
        starts = [] if base.weights is None else [base.weights]
        run = run_recipe(name, recipe, data, out, starts, every=every, seed=seed, device=own_device)
    if run is None:
        return
    gain = _gain(name, base, recipe, own, out, device) if recipe.steps else None
    if gain is None or not gain.certain:
        checkpoint.save(out / f"{name}.safetensors", base.spec, _learner(base).state_dict())
    kept = recipe if gain and gain.certain else replace(recipe, spec=base.spec, steps=0)
    how = {"command": _command(name, own, steps, seed), "seed": seed, "device": device, "threads": threads}
    if base.weights is None:
        how["added"] = asdict(base.spec)
    report(name, kept, run, data, out, how)
    console.print(_outcome(recipe, gain, run.progress), serve_hint(name), soft_wrap=True, highlight=False)


def _recipe(own: Own, base: Base, seed: int, steps: int | None) -> Recipe:
    opened = options(own.columns, seed)

    def episodes(split: str) -> EpisodeSampler:
        dataset = dataset_name(own.type, regression=own.columns.regression)
        return dataset_of(dataset).episodes(own.path, split, base.input, **opened)

    known = {(each.task, each.label) for each in own.examples if each.split == TRAIN}
    recipe = OwnTraining(
        title=f"{own.type.capitalize()}s like those of {own.path.name}",
        base=base.spec,
        input=base.input,
        options=opened,
        training=episodes(TRAIN),
        validation=episodes(VALIDATION),
        rows=sum(each.split == TRAIN for each in own.examples),
        classes=len(known),
    ).recipe()
    limits = (*base.limits, f"Trained for {own.type}s like those of {own.path.name}.")
    return replace(recipe, limits=limits, steps=steps if steps and recipe.steps else recipe.steps)


def _gain(name: str, base: Base, recipe: Recipe, own: Own, out: Path, device: str) -> Gain:
    """The trained weights beside the model before the training, on the same episodes of the validation split."""
    validation = dataset_of(recipe.dataset).episodes(own.path, VALIDATION, recipe.input, **recipe.validation_options)
    before = _scores(_learner(base), validation, recipe, device)
    after = _scores(checkpoint.load(out / f"{name}.safetensors"), validation, recipe, device)
    differences = [new - old for new, old in zip(after, before, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences))
    return Gain(fmean(before), fmean(after), error, dataset_of(recipe.dataset).kind)


def _scores(learner: Learner, validation: EpisodeSampler, recipe: Recipe, device: str) -> Sequence[float]:
    scores = evaluate(
        learner.to(device),
        validation,
        recipe.validation_episode,
        VALIDATION_EPISODES,
        VALIDATION_SEED,
        torch.device(device),
    )
    return [each[HEADLINE[learner.kind]] for each in scores]


def _learner(base: Base) -> Learner:
    if base.weights is not None:
        return checkpoint.load(base.weights)
    return checkpoint.build(base.spec).eval().requires_grad_(False)


def _command(name: str, own: Own, steps: int | None, seed: int) -> str:
    given = f"--steps {steps}" if steps else ""
    parts = ["handful train", name, f"--data {own.path.name}", own.command(), given, f"--seed {seed}"]
    return " ".join(filter(None, parts))


def _outcome(recipe: Recipe, gain: Gain | None, progress: Progress) -> str:
    """Whether training helped, in a sentence."""
    if gain is None:
        return "Nothing was trained, for want of examples or weights to train: only the probabilities are calibrated."
    scores = (
        f"validation {HEADLINE[gain.kind]}, {recipe.validation_episode.title()}: "
        f"{gain.before:.4g} before the training, "
        f"{gain.after:.4g} with the best of the trained weights (standard error of the difference {gain.error:.2g})."
    )
    if gain.certain:
        return f"Training helped: {scores}"
    return f"Training did not help for sure, and the model before it is kept: {scores}"
