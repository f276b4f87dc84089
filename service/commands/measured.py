"""A model that is measured on data of the user's own."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models import checkpoint
from models.datasets.episode import Shape, rng_of
from models.datasets.own.episodes import OwnEpisodes
from models.datasets.own.examples import Own
from models.datasets.own.rows import ValueEpisodes
from models.learner import Learner
from models.training import evaluation
from models.training.calibration import calibration_error
from models.training.evaluation import Predictions
from service.cards import Card, Figure
from service.commands.progress import progress_bar


@dataclass(frozen=True)
class Measured:
    """A model and the episodes that it is measured on."""

    name: str
    card: Card
    learner: Learner
    weights: Path
    own: Own
    sampler: OwnEpisodes | ValueEpisodes
    split: str
    episodes: int
    seed: int
    device: str

    def title(self, shape: Shape) -> str:
        """The setting as a heading."""
        return f"{self.own.path.name}, {self.split}, {shape.title()}"

    def first_fitting(self, tried: Sequence[Shape], least: str) -> Shape:
        """The first shape that the data has examples for. Raises ValueError, which names the `least` that is needed."""
        fitted = next(filter(None, map(self.sampler.fitting, tried)), None)
        if fitted is None:
            raise ValueError(
                f"the split {self.split} of {self.own.path} has no task with {least} and a query: give fewer --shots, "
                "or --split all"
            )
        return fitted

    def command(self, shape: Shape) -> str:
        """The command that measures it again."""
        parts = [
            f"handful evaluate {self.name} --data {shlex.quote(self.own.path.name)} {self.own.command()}",
            f"--split {self.split}{f' --ways {shape.ways}' if shape.ways else ''} --shots {shape.shots}",
            f"--queries {shape.queries}",
            f"--episodes {self.episodes} --seed {self.seed}",
        ]
        return " ".join(parts)

    def predict(self, shape: Shape) -> list[Predictions]:
        """The answers to all episodes."""
        device = torch.device(self.device)
        predicted = evaluation.predict_episodes(self.learner, self.sampler, shape, self.episodes, self.seed, device)
        return list(progress_bar(predicted, self.episodes, 0, lambda _: shape.title()))

    def figures(self, shape: Shape, predicted: Sequence[Predictions]) -> list[Figure]:
        """The mean and the interval of each score, and the calibration error."""
        summary = evaluation.summarise([evaluation.score(self.learner.kind, one) for one in predicted])
        summary["calibration_error"] = {"mean": calibration_error(predicted, self.card.temperature)}
        return self.as_figures(shape, summary)

    def as_figures(self, shape: Shape, summary: Mapping[str, dict[str, float]]) -> list[Figure]:
        """Scores as the card has them."""
        about: dict[str, Any] = {
            "setting": self.title(shape),
            "episodes": self.episodes,
            "checkpoint": checkpoint.digest(self.weights),
            "command": self.command(shape),
        }
        return [Figure.model_validate(about | {"metric": metric} | value) for metric, value in summary.items()]

    def confusion(self, shape: Shape, predicted: Sequence[Predictions]) -> tuple[NDArray[np.int64], list[str]]:
        """Queries by class and answer (classes, classes), and the names of the classes."""
        sampler = self.sampler
        assert isinstance(sampler, OwnEpisodes)
        names = sorted({each.name for task in sampler.tasks for each in task})
        index, counts = {name: i for i, name in enumerate(names)}, np.zeros((len(names), len(names)), np.int64)
        for number, (answers, targets) in enumerate(predicted):
            drawn = sampler.draw(rng_of(self.seed, number), shape)
            places = np.array([index[each.name] for each in drawn.classes])
            np.add.at(counts, (places[targets.cpu().numpy()], places[answers.argmax(-1).cpu().numpy()]), 1)
        return counts, names
