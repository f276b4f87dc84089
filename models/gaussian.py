"""Answers that are normal distributions: the values of a regression and the standard deviation of each."""

import math

import torch
from torch import Tensor

from models.losses import at_least_float32, masked_mean

NINE_TENTHS = 1.6448536
"""Standard deviations on both sides of the mean that hold 90 % of a normal distribution."""


def parted(answers: Tensor, outputs: int) -> tuple[Tensor, Tensor | None]:
    """The values (..., outputs), and their standard deviations, of answers (..., outputs) or (..., 2 * outputs)."""
    values, deviations = answers[..., :outputs], answers[..., outputs:]
    return values, deviations if deviations.shape[-1] else None


def log_likelihood(answers: Tensor, targets: Tensor) -> Tensor:
    """The mean log density (n,) of targets (n, outputs) under answers (n, 2 * outputs)."""
    values, deviations = at_least_float32(answers).chunk(2, -1)
    scores = (targets - values) / deviations
    return (-0.5 * scores.square() - deviations.log() - 0.5 * math.log(2 * math.pi)).mean(-1)


def negative_log_likelihood(answers: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean log density of the unmasked targets."""
    return masked_mean(-log_likelihood(answers, targets), mask)


def covered(answers: Tensor, targets: Tensor) -> Tensor:
    """The share of the targets in the central 90 % of their distribution."""
    values, deviations = answers.chunk(2, -1)
    return ((targets - values).abs() <= NINE_TENTHS * deviations).to(torch.float32).mean()
