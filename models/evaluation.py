"""Figures: a learner's answers on episodes of classes that it was not trained on."""

import math
from collections.abc import Iterator
from statistics import fmean, stdev

import torch
from torch import Tensor

from models.learner import Kind, Learner
from models.tasks.episode import Episode, Shape, Tasks, rng_of, to_device

Scores = dict[str, float]
"""What one episode scored, the headline first: accuracy and macro F1 (0 to 1), or MSE and MAE."""

HEADLINE = {Kind.CLASSIFICATION: "accuracy", Kind.REGRESSION: "mse"}


def evaluate(
    learner: Learner, tasks: Tasks, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Scores]:
    """The scores of each of `episodes` episodes. The same seed draws the same episodes."""
    with torch.no_grad():
        for index in range(episodes):
            yield score(learner, to_device(tasks.episode(rng_of(seed, index), shape), device))


def score(learner: Learner, episode: Episode) -> Scores:
    """Adapt to one episode's support and judge the answers to its queries."""
    answers = learner.predict(learner.adapt(episode.support), episode.query)
    if learner.kind is Kind.REGRESSION:
        error = answers - episode.targets
        return {"mse": error.square().mean().item(), "mae": error.abs().mean().item()}
    given = answers.argmax(-1)
    accuracy = (given == episode.targets).float().mean().item()
    return {"accuracy": accuracy, "macro_f1": macro_f1(given, episode.targets, episode.support.ways)}


def macro_f1(given: Tensor, targets: Tensor, ways: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN); a class that is neither asked nor answered counts as 0."""
    hits = torch.bincount(targets[given == targets], minlength=ways)
    total = torch.bincount(given, minlength=ways) + torch.bincount(targets, minlength=ways)
    return (2 * hits / total.clamp(min=1)).mean().item()


def summarise(scores: list[Scores]) -> dict[str, dict[str, float]]:
    """Mean of each score, and half width of its 95 % interval: 1.96 standard errors over episodes, weights fixed."""
    return {name: _interval([episode[name] for episode in scores]) for name in scores[0]}


def _interval(values: list[float]) -> dict[str, float]:
    half = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {"mean": fmean(values), "ci95": half}
