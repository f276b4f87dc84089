"""How far the answers of a regression are from the truth on tasks that it was not adapted to before.

The quantiles of the errors over many tasks are the half widths of intervals for a client with too few examples to judge
it by itself: split conformal prediction with tasks as the sample (Vovk, Gammerman, Shafer 2005; Dunn, Wasserman, Ramdas
2023, arXiv:1809.07441).
"""

import math
from typing import Literal

import torch
from torch import Tensor

from models.datasets.episode import EpisodeSampler, Shape
from models.gaussian import parted
from models.learner import Episode, Learner
from models.training.evaluation import predict_episode

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
"""Shares of the errors that are below the quantiles."""
SIZES = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100)
"""Numbers of examples. With 99, the largest level can be judged by a client's own examples."""
FEWEST_FOR_RANGE = 3
"""Fewer labels have hardly a range."""
QUERIES = 20
Unit = Literal["value", "range", "deviation"]
"""What errors are counted in: the units of the labels, ranges of the labels that the learner adapts to, or standard
deviations that it predicts (normalised conformal prediction: Lei et al. 2018, arXiv:1604.04173, section 5.2)."""


def error_quantiles(
    learner: Learner, tasks: EpisodeSampler, examples: int, episodes: int, seed: int, unit: Unit
) -> list[float]:
    """The quantiles of the absolute errors at `LEVELS`.

    The levels are raised by one standard error over the episodes, or over the queries if these are fewer, so that an
    interval rather covers too often than too rarely.

    Args:
        learner: A regression.
        tasks: Where episodes come from.
        examples: Examples that the learner adapts to.
        episodes: Number of episodes.
        seed: Seed of the episodes.
        unit: What errors are counted in.
    """
    with torch.no_grad():
        drawn = tasks.episodes(Shape(0, examples, QUERIES), episodes, seed)
        errors = torch.cat([_errors(learner, episode, unit) for episode in drawn]).sort().values
    independent = min(episodes, tasks.examples_count or episodes)
    return [_quantile(errors, level + math.sqrt(level * (1 - level) / independent)) for level in LEVELS]


def _errors(learner: Learner, episode: Episode, unit: Unit) -> Tensor:
    answers, targets = predict_episode(learner, episode)
    values, deviations = parted(answers, targets.shape[-1])
    errors, own = (values - targets).abs(), episode.support.targets
    if unit == "range":
        errors = errors / (own.amax(0) - own.amin(0)).clamp(min=1e-9)
    elif unit == "deviation":
        if deviations is None:
            raise ValueError(f"{learner.algorithm} predicts no standard deviations")
        errors = errors / deviations
    return errors.flatten()


def _quantile(errors: Tensor, level: float) -> float:
    error = float(errors[min(len(errors) - 1, math.ceil(level * len(errors)) - 1)])
    return float(f"{error:.4g}")
