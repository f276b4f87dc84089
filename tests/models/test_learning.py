"""Every learner learns, on the tasks of its meta-training and on other tasks."""

from statistics import fmean

import pytest
import torch

from models.datasets.episode import Shape, rng_of
from models.datasets.sinusoid import Sinusoid
from models.learner import Learner
from models.training.evaluation import score_episode
from tests.models.learners import POLICIES, TABLE, is_regression
from tests.models.trainings import Blobs, Training

FOUR_PIXELS = "tables-in-context-chosen"
"""It reads four pixels only, which do not separate the blobs."""
CLASSIFIERS = [name for name, spec in TABLE.items() if not is_regression(spec) and name != FOUR_PIXELS]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_learns_separable_blobs(name, tmp_path):
    tasks = 1 if "batch" in name else 2  # running statistics cannot be written under vmap
    run = Training(TABLE[name], steps=200 // tasks, tasks=tasks).run(tmp_path)
    for progress in run.train(Blobs(), None, every=200):
        if progress.step % 25 == 0 and worst_accuracy(run.learner, range(50, 70)) > 0.95:
            break  # earlier than after its last step
    assert worst_accuracy(run.learner, range(50)) > 0.9


@torch.no_grad()
def worst_accuracy(learner: Learner, episodes: range) -> float:
    """The mean accuracy on known classes or on unseen ones, whichever is lower."""
    shape = Shape(3, 5, 5)
    drawn = [[Blobs(seed=seed).episode(rng_of(7, i), shape) for i in episodes] for seed in (0, 1)]
    return min(fmean(score_episode(learner.eval(), each)["accuracy"] for each in some) for some in drawn)


POINTS = Shape(0, 10, 20)
WAVES = [name for name, spec in TABLE.items() if is_regression(spec) and name not in POLICIES]
"""A policy learns from rewards: tests/models/test_navigation.py."""


@pytest.mark.parametrize("name", WAVES)
def test_every_regression_learner_learns_sinusoids(name, tmp_path):
    steps, lr = (1500, 3e-3) if name.endswith("neural-process") else (200, 1e-2)
    run = Training(TABLE[name], steps=steps, tasks=8, lr=lr, episode=POINTS).run(tmp_path)
    for progress in run.train(Sinusoid(), None, every=steps):
        if progress.step % 25 == 0 and unexplained(run.learner, range(50, 70)) < 0.35:
            break
    assert unexplained(run.learner, range(50)) < 0.5


@torch.no_grad()
def unexplained(learner: Learner, episodes: range) -> float:
    """The mean squared error, as a share of that of an answer of zero."""
    drawn = [Sinusoid().episode(rng_of(7, i), POINTS) for i in episodes]
    error = fmean(score_episode(learner.eval(), episode)["mse"] for episode in drawn)
    return error / fmean(episode.targets.square().mean().item() for episode in drawn)
