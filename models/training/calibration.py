"""Probabilities that mean what they say: a temperature, and how far they are off.

Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.training.evaluation import Answered

BINS = 15
HOTTEST, COLDEST = 2.0**10, 2.0**-10


def fit_temperature(answered: Sequence[Answered]) -> float:
    """The temperature that makes the right answers likeliest, when logits are divided by it (section 4.2).

    The mean cross-entropy is convex in 1 / temperature, so that halving the range by the sign of its slope finds the
    one minimum; it stays within 2 ** -10 and 2 ** 10 where the answers are all right.
    """
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _slope(answered, middle) > 0 else (middle, high)
    return 1 / math.sqrt(low * high)


def _slope(answered: Sequence[Answered], sharpness: float) -> float:
    """The derivative of the summed cross-entropy by the number that logits are multiplied with."""
    total = 0.0
    for logits, targets in answered:
        expected = (F.softmax(logits * sharpness, -1) * logits).sum(-1)
        right = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
        total += float((expected - right).sum())
    return total


def calibration_error(answered: Sequence[Answered], temperature: float) -> float:
    """The expected calibration error: over 15 bins of confidence, the gap between mean confidence and accuracy,
    weighted by how many answers are in the bin (equation 3). All episodes are one sample."""
    sure = torch.cat([F.softmax(logits / temperature, -1).amax(-1) for logits, _ in answered])
    right = torch.cat([logits.argmax(-1) == targets for logits, targets in answered])
    bins = (sure * BINS).long().clamp(max=BINS - 1)
    gaps = _sums(sure, bins) - _sums(right.to(sure.dtype), bins)
    return float(gaps.abs().sum() / len(sure))


def _sums(values: Tensor, bins: Tensor) -> Tensor:
    return torch.zeros(BINS, dtype=values.dtype, device=values.device).scatter_add(0, bins, values)
