"""handful calibrate: the temperature of a model's probabilities."""

from itertools import chain
from pathlib import Path

import torch
from rich.console import Console

from models.datasets import SPLITS, open_tasks
from models.datasets.episode import Shape, Tasks
from models.learner import Kind, Learner
from models.training.calibration import fit_temperature
from models.training.evaluation import Predictions, predict_episodes
from service.cards import Card
from service.commands.evaluate import ready
from service.commands.progress import progress_bar

SHAPES = (Shape(5, 1, 5), Shape(5, 5, 5), Shape(20, 1, 5), Shape(20, 5, 5))
EPISODES = 50
"""Of each shape that the model takes."""
SEED = 2_000_003
"""Other episodes than those that the weights were chosen by."""


def calibrate(path: Path, data: Path | None, *, device: str, threads: int) -> None:
    """Fit a classifier's temperature on its validation classes and write it into the card at `path`.

    Raises ValueError for a model without validation classes: on classes that it was trained on, it is too sure.
    """
    torch.set_num_threads(threads)
    card = Card.read(path)
    split = card.training["validation"]
    learner = ready(path.with_suffix(".safetensors"), device)
    if learner.kind is Kind.REGRESSION:
        return
    if split not in SPLITS:
        raise ValueError(f"{card.name} has no validation classes: on those it was trained on, it would be too sure")
    tasks = open_tasks(split, data)
    temperature = fit_temperature(_answers(learner, tasks, torch.device(device)))
    card.model_copy(update={"temperature": temperature}).write(path)
    Console().print(f"{card.name}: temperature {temperature:.4g}, fitted on {split}.")


def _answers(learner: Learner, tasks: Tasks, device: torch.device) -> list[Predictions]:
    shapes = [shape for shape in SHAPES if shape.ways <= (learner.max_ways or shape.ways)]
    predicted = chain.from_iterable(predict_episodes(learner, tasks, shape, EPISODES, SEED, device) for shape in shapes)
    return list(progress_bar(predicted, EPISODES * len(shapes), 0, lambda _: "temperature"))
