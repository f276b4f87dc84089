"""handful train: run the training loop with a progress bar, then write the card and the curve."""

import platform
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from models import checkpoint
from models.datasets import dataset_of
from models.learners import LEARNERS
from models.learners.maml import MAML
from models.learners.policy_gradient import PolicyMAML
from models.recipes import RECIPES, Recipe, recipe_of
from models.recipes.recipe import PRETRAINED
from models.training import distributed, learning_curve
from models.training.meta_training import Run
from models.training.progress import Progress
from models.training.reinforced_run import run_of
from service.cards import Card
from service.commands.calibrate import calibrate
from service.commands.new_card import new_card
from service.commands.progress import progress_bar


def train(
    model: str,
    data: Path | None,
    *,
    steps: int | None,
    out: Path,
    every: int,
    seed: int,
    device: str,
    threads: int,
    optimiser: str | None = None,
) -> None:
    """Train a recipe to its end and write checkpoint, card and curve into `out`.

    Under `torchrun` this runs in every process. The first process shows the progress and writes.
    """
    torch.set_num_threads(threads)
    with distributed.joined(device) as own_device:
        recipe = with_optimiser(recipe_of(model, steps=steps), optimiser)
        starts = _starts(model, recipe, out)
        run = run_recipe(model, recipe, data, out, starts, every=every, seed=seed, device=own_device)
    if run is not None:
        how = {"command": _command(model, recipe, seed), "seed": seed, "device": device, "threads": threads}
        if recipe.members:
            how["members"] = {path.stem: Card.read(path.with_suffix(".json")).training["seconds"] for path in starts}
        report(model, recipe, run, data, out, how)


def with_optimiser(recipe: Recipe, optimiser: str | None) -> Recipe:
    """The recipe with another optimiser of the inner loop. Raises ValueError for learners that take none."""
    if optimiser is None:
        return recipe
    learner = LEARNERS[recipe.spec.learner]
    if not issubclass(learner, MAML) or learner.own_updates or learner is PolicyMAML:
        raise ValueError(f"--optimiser: {learner.algorithm} takes none; MAML, ANIL, Reptile and ProtoMAML do")
    options = recipe.spec.learner_options | {"optimiser": optimiser}
    return replace(recipe, spec=replace(recipe.spec, learner_options=options))


def run_recipe(
    model: str,
    recipe: Recipe,
    data: Path | None,
    out: Path,
    starts: Sequence[Path],
    *,
    every: int,
    seed: int,
    device: str,
) -> Run | None:
    """The finished training; None in all processes except the first. `starts`: the checkpoints that it starts from."""
    dataset, split = dataset_of(recipe.dataset), recipe.validation_split
    for used in (recipe.training_split, split):
        if used in dataset.fixed:
            raise ValueError(f"{model} uses the split {used}, which is for evaluation only")
    training = dataset.episodes(data, recipe.training_split, recipe.input, **recipe.dataset_options)
    validation = dataset.episodes(data, split, recipe.input, **recipe.validation_options) if split else None
    run = run_of(recipe, out, model, seed=seed, device=device, starts=starts)
    trained = run.train(training, validation, every=every)
    if distributed.rank():
        deque(trained, maxlen=0)
        return None
    shown = progress_bar(trained, recipe.steps, run.progress.step, lambda progress: _note(progress, run.headline))
    deque(shown, maxlen=0)
    return run


def report(model: str, recipe: Recipe, run: Run, data: Path | None, out: Path, how: dict[str, Any]) -> None:
    """Write the curve and the card, and calibrate. `how` is what the card says of the training beside the recipe."""
    if run.progress.losses[-1][0]:
        learning_curve.draw(run.progress, f"{model}: {recipe.title}", run.headline, out / f"{model}.png")
    card = out / f"{model}.json"
    _card(model, recipe, run.progress, how).write(card)
    if recipe.validation_split or recipe.outputs:
        calibrate(card, data, device=how["device"], threads=how["threads"])
    Console().print(f"Wrote {out / model}.safetensors, .json (the card) and, after a training, .png (the curve).")


def _starts(model: str, recipe: Recipe, out: Path) -> list[Path]:
    """The checkpoints to start from, or of the members of an ensemble. Raises ValueError when one is missing."""
    names = recipe.members or filter(None, [recipe.start or recipe.pretrained])
    paths = [out / f"{name}.safetensors" for name in names]
    for path in paths:
        if not path.is_file():
            command = PRETRAINED[path.stem] if recipe.pretrained else f"handful train {path.stem}"
            raise ValueError(f"{model} starts from {path}, which is missing: run {command} first")
    return paths


def _note(progress: Progress, headline: str) -> str:
    score = f", {headline} {progress.scores[-1][1]:.4f}" if progress.scores else ""
    return f"loss {progress.loss:.4f}{score}"


def _card(model: str, recipe: Recipe, progress: Progress, how: dict[str, Any]) -> Card:
    training = {
        **how,
        "recipe": asdict(recipe),
        "seconds": round(progress.seconds),
        "scores": [(step, float(f"{score:.5g}")) for step, score in progress.scores],
        "finished": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, torch {torch.__version__}",
    }
    return new_card(
        model,
        recipe.title,
        checkpoint.build(recipe.spec),
        input=recipe.input,
        training=training,
        limits=recipe.limits,
        outputs=recipe.outputs,
    )


def _command(model: str, recipe: Recipe, seed: int) -> str:
    """The commands that train the model and those that it starts from."""
    steps = "" if recipe.steps == RECIPES[model].steps else f"--steps {recipe.steps}"
    data = dataset_of(recipe.dataset).data_option(recipe.training_split)
    optimiser = recipe.spec.learner_options.get("optimiser")
    inner = f"--optimiser {optimiser}" if optimiser else ""
    own = " ".join(filter(None, ["handful train", model, data, steps, inner, f"--seed {seed}"]))
    before = [PRETRAINED[recipe.pretrained]] if recipe.pretrained else []
    before += [_command(name, RECIPES[name], seed) for name in recipe.members or filter(None, [recipe.start])]
    return " && ".join([*before, own])
