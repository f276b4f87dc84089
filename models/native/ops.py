"""The compiled kernel as torch operators. Under `torch.vmap` they run all clients in one call."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.native.build import library


class Shape(ctypes.Structure):
    """The struct `Shape` of conv4.cpp."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("tasks", "images", "channels", "height", "width")),
        *((name, ctypes.c_int32) for name in ("features", "ways", "centred")),
        ("scale", ctypes.c_float),
    )


class Operand(NamedTuple):
    """A tensor for each task: its shape, and the stride between two tasks, 0 for a shared tensor."""

    tensor: Tensor
    shape: torch.Size
    stride: int


FEATURES, GRADIENTS, DESCENT = "handful::conv4_features", "handful::conv4_gradients", "handful::conv4_descent"
# Not `custom_op`: its overhead takes as long as the kernel.
torch.library.define(FEATURES, "(Tensor images, Tensor[] weights, bool centred, float scale) -> Tensor")
torch.library.define(
    GRADIENTS, "(Tensor images, Tensor targets, Tensor mask, Tensor[] weights, bool centred, float scale) -> Tensor[]"
)
torch.library.define(
    DESCENT,
    "(Tensor images, Tensor targets, Tensor mask, Tensor[] weights, Tensor inner_lrs, bool centred, float scale)"
    " -> Tensor[]",
)


@torch.library.impl(FEATURES, "CPU")
def features(images: Tensor, weights: Sequence[Tensor], centred: bool, scale: float) -> Tensor:
    """Features (n, d) of images (n, channels, h, w).

    Args:
        images: Shared by all clients, or under vmap one tensor for each client. The same holds for each weight.
        weights: The 16 parameters of an encoder.
        centred: Whether features are layer-normalised.
        scale: The factor of the features.
    """
    return _features((), _shared(images), [_shared(weight) for weight in weights], centred, scale)


@torch.library.impl(GRADIENTS, "CPU")
def gradients(
    images: Tensor, targets: Tensor, mask: Tensor, weights: Sequence[Tensor], centred: bool, scale: float
) -> list[Tensor]:
    """The gradients of the mean cross-entropy of a linear head on the features.

    Args:
        images: (n, channels, h, w). Masked images are not read.
        targets: (n,) int64.
        mask: (n,) bool.
        weights: Those of `features`, then the head's weight (ways, d) and bias (ways,).
        centred: Whether features are layer-normalised.
        scale: The factor of the features.

    Returns:
        The gradient with respect to each weight, in its shape, and at the end the loss ().
    """
    examples = [_shared(tensor) for tensor in (images, targets, mask)]
    return _gradients((), examples, [_shared(weight) for weight in weights], centred, scale)


@torch.library.impl(DESCENT, "CPU")
def descent(
    images: Tensor,
    targets: Tensor,
    mask: Tensor,
    weights: Sequence[Tensor],
    inner_lrs: Tensor,
    centred: bool,
    scale: float,
) -> list[Tensor]:
    """The weights after gradient descent on the loss of `gradients`, in their shapes.

    Args:
        images: As for `gradients`, like all arguments that are not listed here.
        inner_lrs: (steps, 18) learning rates, shared by all tasks.
    """
    examples = [_shared(tensor) for tensor in (images, targets, mask)]
    return _descent((), examples, [_shared(weight) for weight in weights], inner_lrs, centred, scale)


@torch.library.register_fake(FEATURES)  # type: ignore[untyped-decorator]
def _(images: Tensor, weights: Sequence[Tensor], centred: bool, scale: float) -> Tensor:
    return images.new_empty(len(images), len(weights[1]))


@torch.library.register_fake(GRADIENTS)  # type: ignore[untyped-decorator]
def _(
    images: Tensor, targets: Tensor, mask: Tensor, weights: Sequence[Tensor], centred: bool, scale: float
) -> list[Tensor]:
    return [*(weight.new_empty(weight.shape) for weight in weights), images.new_empty(())]


@torch.library.register_fake(DESCENT)  # type: ignore[untyped-decorator]
def _(
    images: Tensor,
    targets: Tensor,
    mask: Tensor,
    weights: Sequence[Tensor],
    inner_lrs: Tensor,
    centred: bool,
    scale: float,
) -> list[Tensor]:
    return [weight.new_empty(weight.shape) for weight in weights]


@torch.library.register_vmap(FEATURES)  # type: ignore[untyped-decorator]
def _(
    info: Any, dims: Any, images: Tensor, weights: Sequence[Tensor], centred: bool, scale: float
) -> tuple[Tensor, int]:
    own = [_operand(*pair) for pair in zip(weights, dims[1], strict=True)]
    return _features((info.batch_size,), _operand(images, dims[0]), own, centred, scale), 0


@torch.library.register_vmap(GRADIENTS)  # type: ignore[untyped-decorator]
def _(
    info: Any,
    dims: Any,
    images: Tensor,
    targets: Tensor,
    mask: Tensor,
    weights: Sequence[Tensor],
    centred: bool,
    scale: float,
) -> tuple[list[Tensor], list[int]]:
    examples = [_operand(*pair) for pair in zip((images, targets, mask), dims[:3], strict=True)]
    own = [_operand(*pair) for pair in zip(weights, dims[3], strict=True)]
    out = _gradients((info.batch_size,), examples, own, centred, scale)
    return out, [0] * len(out)


@torch.library.register_vmap(DESCENT)  # type: ignore[untyped-decorator]
def _(
    info: Any,
    dims: Any,
    images: Tensor,
    targets: Tensor,
    mask: Tensor,
    weights: Sequence[Tensor],
    inner_lrs: Tensor,
    centred: bool,
    scale: float,
) -> tuple[list[Tensor], list[int]]:
    examples = [_operand(*pair) for pair in zip((images, targets, mask), dims[:3], strict=True)]
    own = [_operand(*pair) for pair in zip(weights, dims[3], strict=True)]
    out = _descent((info.batch_size,), examples, own, inner_lrs, centred, scale)
    return out, [0] * len(out)


def _features(tasks: tuple[int, ...], images: Operand, weights: list[Operand], centred: bool, scale: float) -> Tensor:
    """Features (*tasks, n, d); `tasks` is () or the number of them."""
    shape = _shape(tasks, images, weights, 0, centred, scale)
    out = images.tensor.new_empty(*tasks, shape.images, shape.features)
    _kernel().handful_features(ctypes.byref(shape), *_arguments([images]), *_table(weights), _address(out))
    return out


def _gradients(
    tasks: tuple[int, ...], examples: list[Operand], weights: list[Operand], centred: bool, scale: float
) -> list[Tensor]:
    """The gradients (*tasks, *weight) and the losses (*tasks)."""
    shape = _shape(tasks, examples[0], weights, weights[-1].shape[0], centred, scale)
    out = [weight.tensor.new_empty(*tasks, *weight.shape) for weight in weights]
    losses = examples[0].tensor.new_empty(tasks)
    arguments = *_arguments(examples), *_table(weights), _addresses(out), _address(losses)
    _check(_kernel().handful_gradients(ctypes.byref(shape), *arguments))
    return [*out, losses]


def _descent(
    tasks: tuple[int, ...],
    examples: list[Operand],
    weights: list[Operand],
    inner_lrs: Tensor,
    centred: bool,
    scale: float,
) -> list[Tensor]:
    """The weights (*tasks, *weight)."""
    shape = _shape(tasks, examples[0], weights, weights[-1].shape[0], centred, scale)
    out = [weight.tensor.new_empty(*tasks, *weight.shape) for weight in weights]
    lrs = inner_lrs.to(torch.float32).contiguous()
    arguments = *_arguments(examples), *_table(weights), _address(lrs), ctypes.c_int32(len(lrs)), _addresses(out)
    _check(_kernel().handful_descent(ctypes.byref(shape), *arguments))
    return out


def _check(status: int) -> None:
    if status:
        raise IndexError("a target is not a class index of the head")


def _kernel() -> ctypes.CDLL:
    if (kernel := library()) is None:
        raise RuntimeError("the native kernel is turned off (HANDFUL_NATIVE=0) or could not be built")
    return kernel


def _shape(
    tasks: tuple[int, ...], images: Operand, weights: list[Operand], ways: int, centred: bool, scale: float
) -> Shape:
    _, channels, _, _ = images.shape
    if weights[0].shape != (weights[1].shape[0], channels, 3, 3):  # the kernel would read past the end of the filters
        raise ValueError(f"images with {channels} channels do not fit filters of shape {tuple(weights[0].shape)}")
    return Shape(tasks[0] if tasks else 1, *images.shape, weights[1].shape[0], ways, centred, scale)


def _shared(tensor: Tensor) -> Operand:
    return Operand(tensor.contiguous(), tensor.shape, 0)


def _operand(tensor: Tensor, dim: int | None) -> Operand:
    if dim is None:
        return _shared(tensor)
    own = tensor.movedim(dim, 0)
    own = own if own[0].is_contiguous() else own.contiguous()  # gaps between tasks do not matter
    return Operand(own, own.shape[1:], own.stride(0))


def _arguments(operands: list[Operand]) -> list[Any]:
    """Address and stride of each operand."""
    return [part for own in operands for part in (_address(own.tensor), ctypes.c_int64(own.stride))]


def _table(operands: list[Operand]) -> tuple[Any, Any]:
    """All addresses, then all strides."""
    strides = (ctypes.c_int64 * len(operands))(*(own.stride for own in operands))
    return _addresses([own.tensor for own in operands]), strides


def _address(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _addresses(tensors: list[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
