"""Inputs that pass through a network some at a time, which bounds the memory."""

from collections.abc import Callable

import torch
from torch import Tensor


def in_chunks(function: Callable[[Tensor], Tensor], inputs: Tensor, size: int) -> Tensor:
    """`function` of inputs (n, ...), at most `size` of them at a time.

    An exported network takes all of its inputs at once: its number of chunks would be fixed.
    """
    if torch.compiler.is_exporting():
        return function(inputs)
    return torch.cat([function(some) for some in torch.split(inputs, size)])
