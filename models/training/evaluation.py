"""Figures: a learner's answers on episodes of classes that it was not trained on."""

import math
from collections.abc import Iterator
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from torch import Tensor

from models.datasets.episode import EpisodeSampler, Shape, rng_of, to_device
from models.learner import Episode, Kind, Learner

Scores = dict[str, float]
"""What one episode scored, the headline first: accuracy and macro F1 (0 to 1), or MSE and MAE."""

HEADLINE = {Kind.CLASSIFICATION: "accuracy", Kind.REGRESSION: "mse"}


class Answered(NamedTuple):
    """A learner's answers to an episode's queries, logits (q, ways) or values (q, outputs), and the right ones."""

    answers: Tensor
    targets: Tensor


def answer(learner: Learner, episode: Episode) -> Answered:
    """Adapt to one episode's support and answer its queries."""
    return Answered(learner.answer(episode.support, episode.query), episode.targets)


def answer_all(
    learner: Learner, tasks: EpisodeSampler, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Answered]:
    """The answers to each of `episodes` episodes. The same seed draws the same episodes."""
    with torch.no_grad():
        for index in range(episodes):
            yield answer(learner, to_device(tasks.episode(rng_of(seed, index), shape), device))


def evaluate(
    learner: Learner, tasks: EpisodeSampler, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Scores]:
    """The scores of each of `episodes` episodes."""
    return (judge(learner.kind, answered) for answered in answer_all(learner, tasks, shape, episodes, seed, device))


def score(learner: Learner, episode: Episode) -> Scores:
    """The scores of a learner on one episode."""
    return judge(learner.kind, answer(learner, episode))


def judge(kind: Kind, answered: Answered) -> Scores:
    """The scores of the answers to one episode."""
    answers, targets = answered
    if kind is Kind.REGRESSION:
        error = answers - targets
        return {"mse": error.square().mean().item(), "mae": error.abs().mean().item()}
    given = answers.argmax(-1)
    accuracy = (given == targets).float().mean().item()
    return {"accuracy": accuracy, "macro_f1": macro_f1(given, targets, answers.shape[-1])}


def macro_f1(given: Tensor, targets: Tensor, ways: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN); a class that is neither asked nor answered counts as 0."""
    hits = torch.bincount(targets[given == targets], minlength=ways)
    total = torch.bincount(given, minlength=ways) + torch.bincount(targets, minlength=ways)
    return (2 * hits / total.clamp(min=1)).mean().item()


def summarise(scores: list[Scores]) -> dict[str, dict[str, float]]:
    """Mean of each score, and half width of its 95 % interval: 1.96 standard errors over episodes, weights fixed."""
    return {name: _interval([episode[name] for episode in scores]) for name in scores[0]}


def _interval(values: list[float]) -> dict[str, float]:
    spread = stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
    half = 1.96 * spread / math.sqrt(len(values))
    return {"mean": fmean(values), "ci95": half}
