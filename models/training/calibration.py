"""Calibrated probabilities: temperature scaling, and the expected calibration error.

Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.training.evaluation import Predictions

BINS = 15
HOTTEST, COLDEST = 2.0**10, 2.0**-10
SPREAD = 0.5
"""Standard deviation of the logarithm of a temperature, before there is evidence."""


def fit_temperature(episodes: Sequence[Predictions], examples: int | None = None, usual: float = 1.0) -> float:
    """The temperature that minimises the mean cross-entropy when logits are divided by it (section 4.2).

    The cross-entropy is convex in 1 / temperature, so bisection by the sign of its slope finds the minimum. The result
    stays between 2 ** -10 and 2 ** 10, also where all answers are right.

    Args:
        episodes: Answers and their targets.
        examples: Number of different queries, where they are few. The temperature is then drawn to `usual`, as by a
            log-normal prior: a few answers that are all right would make the model certain of everything.
        usual: The temperature without evidence.
    """
    low, high = 1 / HOTTEST, 1 / COLDEST
    share = 0.0 if examples is None else sum(len(targets) for _, targets in episodes) / examples
    for _ in range(60):
        middle = math.sqrt(low * high)
        pull = share * math.log(middle * usual) / (middle * SPREAD**2)
        low, high = (low, middle) if _slope(episodes, middle) + pull > 0 else (middle, high)
    return 1 / math.sqrt(low * high)


def _slope(episodes: Sequence[Predictions], factor: float) -> float:
    """The derivative of the summed cross-entropy with respect to the factor of the logits."""
    total = 0.0
    for logits, targets in episodes:
        expected = (F.softmax(logits * factor, -1) * logits).sum(-1)
        right = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
        total += float((expected - right).sum())
    return total


def calibration_error(episodes: Sequence[Predictions], temperature: float) -> float:
    """The expected calibration error: the gap between mean confidence and accuracy in each of 15 bins of confidence,
    weighted by the number of answers in the bin (equation 3). All episodes form one sample."""
    confidence = torch.cat([F.softmax(logits / temperature, -1).amax(-1) for logits, _ in episodes])
    right = torch.cat([logits.argmax(-1) == targets for logits, targets in episodes])
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = _sums(confidence, bins) - _sums(right.to(confidence.dtype), bins)
    return float(gaps.abs().sum() / len(confidence))


def _sums(values: Tensor, bins: Tensor) -> Tensor:
    return torch.zeros(BINS, dtype=values.dtype, device=values.device).scatter_add(0, bins, values)
