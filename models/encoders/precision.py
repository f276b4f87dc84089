"""Encoding in bfloat16, where that pays and the answers agree."""

from itertools import chain

import torch
from torch import Tensor, nn

from models.losses import at_least_float32


def encoding(encoder: nn.Module | None, device: torch.device) -> torch.autocast:
    """The precision in which an encoder runs: bfloat16 if its answers agree in it and the device computes in it
    natively, else as the caller's."""
    reduced = getattr(encoder, "agrees_in_bfloat16", False) and not torch.is_autocast_enabled(device.type)
    if reduced and native_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    enabled = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, torch.get_autocast_dtype(device.type), enabled=enabled)


def native_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16. Where it is emulated, it takes longer than float32."""
    if device.type == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16") or has.get("bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def encode_as_served(encoder: nn.Module, inputs: Tensor) -> Tensor:
    """Features (n, feature_dim) of inputs (n, *input), on the encoder's device and in its precision."""
    device = next(chain(encoder.parameters(), encoder.buffers())).device
    with torch.no_grad(), encoding(encoder, device):
        return at_least_float32(encoder(inputs.to(device)))
