"""States in half the bytes: how far a client's weights are from the model's own, in 16 bits.

A difference is small beside the weight that it changes, so that its 11 bits say more than 11 bits of the weight would.
All of a client's differences are one tensor, which is sent, stored and stacked at once.
"""

import torch
from torch import Tensor

from models.learner import State

BETWEEN = " "
"""Names of weights in that of the tensor which has their differences, one behind the other."""


class DeltaEncoding:
    """The form in which the states of one model are kept; `own` are its weights."""

    def __init__(self, own: State) -> None:
        self._own = own
        self._flat: dict[str, Tensor] = {}

    def encode(self, states: State) -> State:
        """States, each tensor (clients, ...): what has the name and shape of one of the model's own weights becomes a
        part of their differences, (clients, numbers). One beyond the range of 16 bits (65504) becomes infinite."""
        names = [name for name, value in states.items() if self._is_own(name, value)]
        if not names:
            return states
        flat = torch.cat([states[name].flatten(1) for name in names], 1)
        key = BETWEEN.join(names)
        return {key: (flat - self._flat_own(key)).half()} | {
            name: value for name, value in states.items() if name not in names
        }

    def decode(self, kept: State) -> State:
        """The states of compacted ones; those that were not are left as they are."""
        states: State = {}
        for name, value in kept.items():
            states |= self._weights(name, value) if value.dtype is torch.float16 else {name: value}
        return states

    def _weights(self, key: str, differences: Tensor) -> State:
        names = key.split(BETWEEN)
        sizes = [self._own[name].numel() for name in names]
        parts = torch.split(self._flat_own(key) + differences.float(), sizes, 1)
        return {name: part.view(-1, *self._own[name].shape) for name, part in zip(names, parts, strict=True)}

    def _flat_own(self, key: str) -> Tensor:
        if key not in self._flat:
            self._flat[key] = torch.cat([self._own[name].detach().flatten() for name in key.split(BETWEEN)])
        return self._flat[key]

    def _is_own(self, name: str, value: Tensor) -> bool:
        return name in self._own and self._own[name].shape == value.shape[1:]
