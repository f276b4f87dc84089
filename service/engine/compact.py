"""States in half the bytes: how far a client's weights are from the model's own, in 16 bits.

A difference is small beside the weight that it changes, so that its 11 bits say more than 11 bits of the weight would.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.learner import State


def compacted(states: State, own: Mapping[str, Tensor]) -> State:
    """States, each tensor (clients, ...): what has the name and shape of one of the model's `own` weights becomes its
    difference from that. One beyond the range of 16 bits (65504) becomes infinite."""
    return {
        name: (value - own[name]).half() if name in own and own[name].shape == value.shape[1:] else value
        for name, value in states.items()
    }


def expanded(states: State, own: Mapping[str, Tensor]) -> State:
    """The states of compacted ones; those that were not are left as they are."""
    return {
        name: own[name] + value.float() if value.dtype is torch.float16 else value for name, value in states.items()
    }
