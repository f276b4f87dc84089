"""A CPU kernel for a strided Conv4 with a linear head. It avoids torch's overhead for many small operations.

Learners call `encode`. It falls back to the encoder itself if the kernel does not support it. Encoders with the layout
of `KernelEncoder` are supported; this module imports none of them.
"""

from collections.abc import Sequence
from typing import Protocol, TypeGuard

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models.learner import State, Support
from models.losses import at_least_float32
from models.native import ops as ops  # registers them under torch.ops
from models.native.build import library

LANES = 16
"""The width must be a multiple of this."""


class KernelEncoder(Protocol):
    """The encoder that the kernel computes: four blocks of a 3x3 convolution with stride 2, group normalisation in 8
    groups and ReLU, the mean over the pixels, and `scale`, after layer normalisation if `centred`."""

    names: tuple[str, ...]
    """The names of the 16 parameters, in the order of the kernel."""
    training: bool
    feature_dim: int
    centred: bool
    scale: float

    def weights(self) -> State:
        """The parameters by name."""
        ...


def encode(encoder: nn.Module, inputs: Tensor, weights: State | None = None) -> Tensor:
    """Features (n, feature_dim) of inputs (n, *input), in at least 32 bits. Uses the kernel if it supports the encoder.

    Args:
        encoder: Any encoder.
        inputs: A batch of inputs.
        weights: Values of all parameters, by name. None: the encoder's own.
    """
    if has_kernel(encoder):
        own = encoder.weights() if weights is None else weights
        if takes(encoder, own, [inputs]):
            return features(encoder, own, inputs)
    encoded: Tensor = encoder(inputs) if weights is None else functional_call(encoder, weights, (inputs,))
    return at_least_float32(encoded)


def has_kernel(encoder: object) -> TypeGuard[KernelEncoder]:
    """Whether the encoder has the layout of the kernel, as its attribute `has_kernel` says."""
    return bool(getattr(encoder, "has_kernel", False))


def takes(encoder: object, weights: State, others: Sequence[Tensor]) -> bool:
    """Whether the kernel supports these parameter values and other operands.

    It supports serving: an encoder in `eval()` mode, float32 on a CPU, without autocast, gradients or compilation.
    """
    tensors = [*weights.values(), *others]
    return (
        has_kernel(encoder)
        and not encoder.training
        and encoder.feature_dim % LANES == 0
        and weights.keys() == set(encoder.names)
        and all(tensor.device.type == "cpu" and tensor.dtype is torch.float32 for tensor in tensors)
        and not torch.is_autocast_enabled("cpu")
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
        and not torch.compiler.is_compiling()
        and library() is not None
    )


def features(encoder: KernelEncoder, weights: State, images: Tensor) -> Tensor:
    """Features (n, d) of images (n, channels, h, w), with these parameter values."""
    out: Tensor = torch.ops.handful.conv4_features(images, _in_order(encoder, weights), encoder.centred, encoder.scale)
    return out


def gradients(encoder: KernelEncoder, weights: State, head: State, support: Support) -> tuple[State, State]:
    """The gradients of the mean support loss, by name.

    Args:
        encoder: The layout.
        weights: Values of the encoder's parameters.
        head: A linear head: `weight` (ways, d) and `bias` (ways,).
        support: Images and their classes.

    Returns:
        The gradients with respect to the weights, and to the head.
    """
    values = [*_in_order(encoder, weights), head["weight"], head["bias"]]
    inputs, targets, mask = support[:3]
    *slopes, weight, bias, _ = torch.ops.handful.conv4_gradients(
        inputs, targets, mask, values, encoder.centred, encoder.scale
    )
    return dict(zip(encoder.names, slopes, strict=True)), {"weight": weight, "bias": bias}


def descent(
    encoder: KernelEncoder, weights: State, head: State, support: Support, inner_lrs: Tensor
) -> tuple[State, State]:
    """The weights and the head after gradient descent on the mean support loss.

    Args:
        encoder: The layout.
        weights: Values of the encoder's parameters.
        head: A linear head: `weight` (ways, d) and `bias` (ways,).
        support: Images and their classes.
        inner_lrs: (steps, 18) learning rates, in each step one for each of `encoder.names`, the head's weight and its
            bias.
    """
    values = [*_in_order(encoder, weights), head["weight"], head["bias"]]
    inputs, targets, mask = support[:3]
    *adapted, weight, bias = torch.ops.handful.conv4_descent(
        inputs, targets, mask, values, inner_lrs, encoder.centred, encoder.scale
    )
    return dict(zip(encoder.names, adapted, strict=True)), {"weight": weight, "bias": bias}


def _in_order(encoder: KernelEncoder, weights: State) -> list[Tensor]:
    """The weights in the order of the kernel. A stored state may have another order."""
    return [weights[name] for name in encoder.names]
