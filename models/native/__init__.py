"""Conv4 with a linear head on a CPU, without torch's overhead for each of many small operations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.learner import State, Support
from models.native import ops as ops  # which puts them under torch.ops
from models.native.build import library

if TYPE_CHECKING:  # which itself asks the kernel
    from models.encoders.conv4 import Conv4

LANES = 16
"""The kernel takes widths that are a multiple of this."""


def takes(encoder: "Conv4", weights: State, others: Sequence[Tensor]) -> bool:
    """Whether the kernel can do what torch would with these values of the encoder's parameters: a strided Conv4 as it
    is served, in plain float32 on a CPU, of which nobody asks a gradient. Everything else is torch's."""
    tensors = [*weights.values(), *others]
    return (
        encoder.grouped_strides
        and encoder.features % LANES == 0
        and not encoder.training
        and weights.keys() == set(encoder.names)
        and all(tensor.device.type == "cpu" and tensor.dtype is torch.float32 for tensor in tensors)
        and not torch.is_autocast_enabled("cpu")
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
        and not torch.compiler.is_compiling()
        and library() is not None
    )


def features(encoder: "Conv4", weights: State, images: Tensor) -> Tensor:
    """Features (n, d) of images (n, channels, h, w), by these values of the encoder's parameters."""
    out: Tensor = torch.ops.handful.conv4_features(images, _in_order(encoder, weights), encoder.centred, encoder.scale)
    return out


def gradients(encoder: "Conv4", weights: State, head: State, support: Support) -> tuple[State, State]:
    """The gradients of the mean support loss with respect to these values of the encoder's parameters, and to a
    head's `weight` (ways, d) and `bias` (ways,); under the same names."""
    values = [*_in_order(encoder, weights), head["weight"], head["bias"]]
    inputs, targets, mask, _ = support
    *found, weight, bias, _ = torch.ops.handful.conv4_gradients(
        inputs, targets, mask, values, encoder.centred, encoder.scale
    )
    return dict(zip(encoder.names, found, strict=True)), {"weight": weight, "bias": bias}


def descent(encoder: "Conv4", weights: State, head: State, support: Support, rates: Tensor) -> tuple[State, State]:
    """The values of the encoder's parameters and the head's after gradient descent on the mean support loss, by `rates`
    (steps, 18): in each step one for each of `encoder.names`, the head's weight and its bias."""
    values = [*_in_order(encoder, weights), head["weight"], head["bias"]]
    inputs, targets, mask, _ = support
    *found, weight, bias = torch.ops.handful.conv4_descent(
        inputs, targets, mask, values, rates, encoder.centred, encoder.scale
    )
    return dict(zip(encoder.names, found, strict=True)), {"weight": weight, "bias": bias}


def _in_order(encoder: "Conv4", weights: State) -> list[Tensor]:
    """As the kernel takes them: a state that was stored has an order of its own."""
    return [weights[name] for name in encoder.names]
