"""Losses over examples with a mask for padding."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of logits (n, ways) over the unmasked examples."""
    return masked_mean(F.cross_entropy(at_least_float32(logits), targets, reduction="none"), mask)


def squared_error(values: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of values (n, outputs) over the unmasked examples, without a factor 1/2."""
    return masked_mean((at_least_float32(values) - targets).square().mean(-1), mask)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values (n,) that are not masked."""
    return (values * mask).sum() / mask.sum()


def at_least_float32(values: Tensor) -> Tensor:
    """Upcast to float32 at least; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
