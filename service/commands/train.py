"""handful train: the loop of `models`, with a progress bar, a card and a curve."""

import platform
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from models import checkpoint
from models.datasets import open_tasks
from models.recipes import RECIPES, Recipe, recipe_of
from models.training import distributed, learning_curve
from models.training.evaluation import HEADLINE
from models.training.meta_training import Progress, Run
from service.cards import Card
from service.commands.calibrate import calibrate
from service.commands.progress import progress_bar


def train(
    model: str, data: Path | None, *, steps: int | None, out: Path, every: int, seed: int, device: str, threads: int
) -> None:
    """Train a recipe to its end and write checkpoint, card and curve into `out`. Under `torchrun`, on every process;
    the first one shows the progress and writes."""
    torch.set_num_threads(threads)
    with distributed.joined(device) as own_device:
        recipe = recipe_of(model, steps=steps)
        training = open_tasks(recipe.data, data, **recipe.drawing)
        validation = open_tasks(recipe.validation, data, **recipe.validation_drawing) if recipe.validation else None
        run = Run(recipe, out, model, seed=seed, device=own_device, start=_start(model, recipe, out))
        looks = run.train(training, validation, every=every)
        if distributed.rank():
            deque(looks, maxlen=0)
            return
        headline = HEADLINE[training.kind]
        deque(
            progress_bar(looks, recipe.steps, run.progress.step, lambda progress: _note(progress, headline)), maxlen=0
        )
    _report(model, recipe, run.progress, data, out, {"seed": seed, "device": device, "threads": threads})


def _report(model: str, recipe: Recipe, progress: Progress, data: Path | None, out: Path, how: dict[str, Any]) -> None:
    if progress.losses[-1][0]:
        learning_curve.draw(
            progress, f"{model}: {recipe.title}", HEADLINE[checkpoint.build(recipe.spec).kind], out / f"{model}.png"
        )
    card = out / f"{model}.json"
    _card(model, recipe, progress, how).write(card)
    if recipe.validation:
        calibrate(card, data, device=how["device"], threads=how["threads"])
    Console().print(f"Wrote {out / model}.safetensors, .json (its card) and, if it was trained, .png (the curve).")


def _start(model: str, recipe: Recipe, out: Path) -> Path | None:
    """The checkpoint to start from. Raises ValueError when it has not been trained."""
    if recipe.start is None:
        return None
    path = out / f"{recipe.start}.safetensors"
    if not path.is_file():
        raise ValueError(f"{model} starts from {path}, which is not there: first handful train {recipe.start}")
    return path


def _note(progress: Progress, headline: str) -> str:
    score = f", {headline} {progress.scores[-1][1]:.4f}" if progress.scores else ""
    return f"loss {progress.loss:.4f}{score}"


def _card(model: str, recipe: Recipe, progress: Progress, how: dict[str, Any]) -> Card:
    learner = checkpoint.build(recipe.spec)
    training = {
        "command": _command(model, recipe, how["seed"]),
        "data": recipe.data,
        "validation": recipe.validation or "none: every class is trained on, and the last weights are kept",
        "recipe": asdict(recipe),
        "seconds": round(progress.seconds),
        "finished": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        **how,
    }
    card = {
        "name": model,
        "title": recipe.title,
        "algorithm": learner.algorithm,
        "paper": learner.paper,
        "kind": learner.kind.value,
        "input": recipe.input,
        "max_ways": learner.max_ways,
        "max_examples": learner.max_examples,
        "outputs": recipe.outputs,
        "transductive": learner.transductive,
        "order_sensitive": learner.order_sensitive,
        "training": training,
        "limits": recipe.limits,
    }
    return Card.model_validate(card)


def _command(model: str, recipe: Recipe, seed: int) -> str:
    data = "" if recipe.data == "sinusoid" else " --data omniglot.npz"
    steps = "" if recipe.steps == RECIPES[model].steps else f" --steps {recipe.steps}"
    before = f"{_command(recipe.start, RECIPES[recipe.start], seed)} && " if recipe.start else ""
    return f"{before}handful train {model}{data}{steps} --seed {seed}"
