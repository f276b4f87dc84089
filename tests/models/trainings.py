"""Small trainings on classes that are easy to separate."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.checkpoint import Spec
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Learner, Support
from models.recipes import Recipe
from models.training.meta_training import Run

THREE_WAYS = Shape(3, 5, 3)


class Blobs(EpisodeSampler):
    """Classes that are easy to separate: each is a coarse pattern of ink, and its examples add noise."""

    kind = Kind.CLASSIFICATION

    def __init__(self, classes: int = 40, seed: int = 0) -> None:
        coarse = np.random.default_rng(seed).integers(0, 2, (classes, 7, 7))
        self.patterns = np.kron(coarse, np.ones((4, 4)))

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        chosen = self.patterns[rng.choice(len(self.patterns), shape.ways, replace=False)]
        inputs, asked = self._examples(rng, chosen, shape.shots), self._examples(rng, chosen, shape.queries)
        labels, mask = torch.arange(shape.ways), torch.ones(len(inputs), dtype=torch.bool)
        learned = Support(inputs, labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(learned, asked, labels.repeat_interleave(shape.queries))

    def _examples(self, rng: np.random.Generator, patterns: np.ndarray, count: int) -> Tensor:
        clean = patterns.repeat(count, axis=0)
        return torch.tensor(clean + rng.normal(0, 0.3, clean.shape), dtype=torch.float32).unsqueeze(1)


@dataclass(frozen=True)
class Training:
    """A small training for a test."""

    spec: Spec
    steps: int = 8
    tasks: int = 1
    lr: float = 5e-3
    episode: Shape = THREE_WAYS
    optimiser: str = "adamw"
    constant: bool = False
    averaging: float = 0.0

    def recipe(self) -> Recipe:
        return Recipe(
            title="a test", spec=self.spec,
            dataset="made up", training_split="train", validation_split=None, steps=self.steps, lr=self.lr,
            episode=self.episode, validation_episode=self.episode, tasks_per_step=self.tasks,
            optimiser=self.optimiser, constant=self.constant, averaging=self.averaging,
        )  # fmt: skip

    def run(self, folder: Path, **options: int) -> Run:
        return Run(self.recipe(), folder, "test", **options)


def trained(training: Training, tasks: EpisodeSampler, folder: Path) -> Learner:
    """The learner after all of its training, as it is served."""
    run = training.run(folder)
    for _ in run.train(tasks, None, every=training.steps):
        pass
    return run.learner.eval().requires_grad_(False)
