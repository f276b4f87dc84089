"""States in half the bytes: 16-bit differences between a client's weights and the model's.

A difference is much smaller than the weight, so its 11 significant bits are more exact than 11 bits of the weight. All
differences of a client form one tensor, which is sent, stored and stacked in one operation.
"""

import torch
from torch import Tensor

from models.learner import State

SEPARATOR = " "
"""Joins the names of weights to the name of the tensor of their differences."""


class DeltaEncoding:
    """Encodes the states of one model. `own` holds the weights of the model by name."""

    def __init__(self, own: State) -> None:
        self._own = own
        self._flat: dict[str, Tensor] = {}

    def encode(self, states: State) -> State:
        """Encode states, each tensor (clients, ...).

        Tensors with the name and shape of a weight of the model are replaced by one tensor of differences
        (clients, numbers). A difference beyond the range of 16 bits (65504) becomes infinite.
        """
        names = [name for name, value in states.items() if self._is_own(name, value)]
        if not names:
            return states
        flat = torch.cat([states[name].flatten(1) for name in names], 1)
        key = SEPARATOR.join(names)
        return {key: (flat - self._flat_own(key)).half()} | {
            name: value for name, value in states.items() if name not in names
        }

    def decode(self, kept: State) -> State:
        """Decode states. States that are not encoded are returned unchanged."""
        states: State = {}
        for name, value in kept.items():
            states |= self._weights(name, value) if value.dtype is torch.float16 else {name: value}
        return states

    def _weights(self, key: str, differences: Tensor) -> State:
        names = key.split(SEPARATOR)
        sizes = [self._own[name].numel() for name in names]
        parts = torch.split(self._flat_own(key) + differences.float(), sizes, 1)
        return {name: part.view(-1, *self._own[name].shape) for name, part in zip(names, parts, strict=True)}

    def _flat_own(self, key: str) -> Tensor:
        if key not in self._flat:
            self._flat[key] = torch.cat([self._own[name].detach().flatten() for name in key.split(SEPARATOR)])
        return self._flat[key]

    def _is_own(self, name: str, value: Tensor) -> bool:
        return name in self._own and self._own[name].shape == value.shape[1:]
