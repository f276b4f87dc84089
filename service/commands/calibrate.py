"""handful calibrate: fit the temperature of a model's probabilities, or the scale of a regression's errors."""

from itertools import chain
from pathlib import Path

import torch
from rich.console import Console

from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.own.columns import Columns
from models.datasets.own.dataset import dataset_name, options
from models.learner import Kind, Learner
from models.training.calibration import fit_temperature
from models.training.error_scale import FEWEST_FOR_RANGE, LEVELS, SIZES, Unit, error_quantiles
from models.training.evaluation import Predictions, predict_episodes
from models.training.task_calibration import COVERAGES, Task, shapes, task_calibration
from service.cards import Calibration, Card, ErrorScale, TaskCalibration
from service.commands.evaluate import load_learner
from service.commands.own_models import columns_for
from service.commands.progress import progress_bar

SHAPES = (Shape(5, 1, 5), Shape(5, 5, 5), Shape(20, 1, 5), Shape(20, 5, 5))
EPISODES = 50
"""Episodes of each shape that the model takes, with all classes if there are fewer."""
REGRESSION_EPISODES = 400
SEED = 2_000_003
"""Differs from the seed of the episodes that selected the weights."""


def calibrate(
    path: Path,
    data: Path | None,
    *,
    device: str,
    threads: int,
    by_task: bool = False,
    columns: Columns | None = None,
) -> None:
    """Fit what a model's answers are worth on its validation split, and write it into the card at `path`: the
    temperature of a classifier, the error scale of a regression.

    With `by_task`, also the temperatures and thresholds of a classifier by number of classes and examples.
    Without, those of the card go: they may be of other weights.

    A model that was added has seen no data, so it is calibrated on all examples of `data`, whose columns are `columns`.

    Raises ValueError for a classifier without a validation split, because a model is overconfident on its training
    classes.
    """
    torch.set_num_threads(threads)
    card, learner = Card.read(path), load_learner(path.with_suffix(".safetensors"), device)
    if learner.kind is Kind.REGRESSION:
        _calibrate_errors(path, card, learner, *_validation(card, data, columns))
        return
    sampler, split = _validation(card, data, columns)
    predicted = _predictions(learner, sampler, torch.device(device))
    temperature = fit_temperature(predicted, sampler.examples_count)
    tasks = _tasks(learner, sampler, torch.device(device), split, temperature) if by_task else None
    card.model_copy(update={"temperature": temperature, "calibration": tasks}).write(path)
    Console().print(f"{card.name}: temperature {temperature:.4g}, fitted on {split}.")


def _tasks(
    learner: Learner, sampler: EpisodeSampler, device: torch.device, split: str, usual: float
) -> Calibration | None:
    """Temperatures by number of classes and examples, and thresholds for learners on feature vectors."""
    count = len(shapes(learner, sampler))
    found = list(progress_bar(task_calibration(learner, sampler, SEED, device, usual), count, 0, lambda _: "tasks"))
    tasks = list(map(as_written, found))
    return Calibration(split=split, coverages=COVERAGES, tasks=tasks) if tasks else None


def as_written(found: Task, digits: int = 4) -> TaskCalibration:
    """The calibration of a kind of task as the card has it, the temperature with so many digits."""
    return TaskCalibration(
        ways=found.shape.ways,
        shots=found.shape.shots,
        temperature=float(f"{found.temperature:.{digits}g}"),
        calibration_error=float(f"{found.error:.3g}"),
        familiar=found.familiar,
    )


def _calibrate_errors(path: Path, card: Card, learner: Learner, sampler: EpisodeSampler, split: str) -> None:
    """Write the error scale of a regression. Tables have units of their own, so their errors are relative."""
    is_table = card.input.model_dump()["type"] == "table"
    unit: Unit = "deviation" if learner.deviations else "range" if is_table else "value"
    sizes = [size for size in SIZES if not (unit == "range" or learner.learns_unit) or size >= FEWEST_FOR_RANGE]
    sizes = [size for size in sizes if sampler.fitting(Shape(0, size, 1))]
    if not sizes:
        Console().print(f"{card.name}: errors cannot be measured on {split}, which has too few rows.")
        return
    quantiles = [error_quantiles(learner, sampler, size, REGRESSION_EPISODES, SEED, unit) for size in sizes]
    scale = ErrorScale(unit=unit, levels=LEVELS, examples=sizes, quantiles=quantiles)
    card.model_copy(update={"errors": scale}).write(path)
    Console().print(f"{card.name}: errors with {sizes[0]} to {sizes[-1]} examples, measured on {split}.")


def _validation(card: Card, data: Path | None, columns: Columns | None) -> tuple[EpisodeSampler, str]:
    """The episodes of the model's validation split, as in its training, and the name of the split. A regression that
    has none learns nothing in its training that could make it look better there."""
    recipe = card.training.get("recipe", {})
    if data is not None and not recipe and "added" in card.training:
        return _all_own(card, data, columns or Columns())
    split = recipe.get("validation_split") or (recipe.get("training_split") if card.kind == "regression" else None)
    if split is None:
        raise ValueError(f"{card.name} has no validation split; its training classes would make it overconfident")
    dataset = dataset_of(recipe["dataset"])
    return dataset.episodes(data, split, card.input.model_dump(), **recipe["validation_options"]), split


def _all_own(card: Card, data: Path, columns: Columns) -> tuple[EpisodeSampler, str]:
    """All examples of own data, for a model without a training."""
    input, regression = card.input.model_dump(), card.kind == "regression"
    opened = options(columns_for(card.name, columns, regression=regression), 0)
    name = dataset_name(input["type"], regression=regression)
    return dataset_of(name).episodes(data, "all", input, **opened), f"all examples of {data.name}"


def _predictions(learner: Learner, sampler: EpisodeSampler, device: torch.device) -> list[Predictions]:
    allowed = [shape for shape in SHAPES if shape.ways <= (learner.max_ways or shape.ways)]
    shapes = list(dict.fromkeys(filter(None, map(sampler.fitting, allowed))))
    predicted = chain.from_iterable(
        predict_episodes(learner, sampler, shape, EPISODES, SEED, device) for shape in shapes
    )
    return list(progress_bar(predicted, EPISODES * len(shapes), 0, lambda _: "temperature"))
