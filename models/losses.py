"""Losses over examples of which some are padding."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of (n, ways) logits over the unmasked examples."""
    return masked_mean(F.cross_entropy(at_least_float32(logits), targets, reduction="none"), mask)


def squared_error(values: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of (n, outputs) values over the unmasked examples, without a factor 1/2."""
    return masked_mean((at_least_float32(values) - targets).square().mean(-1), mask)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the (n,) values that are not masked."""
    return (values * mask).sum() / mask.sum()


def at_least_float32(values: Tensor) -> Tensor:
    """Rounded encodings as numbers to reckon with; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
