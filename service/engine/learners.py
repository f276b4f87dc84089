"""The learners of a folder, for any number of threads."""

import copy
from collections.abc import Mapping, Sequence

import torch

from models import checkpoint
from models.learner import Learner
from service.settings import Settings


def load(names: Sequence[str], settings: Settings) -> dict[str, Learner]:
    """The learners of these names, on the device."""
    folder, device = settings.models, torch.device(settings.device)
    return {name: checkpoint.load(folder / f"{name}.safetensors").to(device) for name in names}


def twins(learners: Mapping[str, Learner]) -> dict[str, Learner]:
    """Learners for another thread, with the same weights in memory."""
    return {name: _twin(learner) for name, learner in learners.items()}


def _twin(learner: Learner) -> Learner:
    shared = {id(tensor): tensor for tensor in (*learner.parameters(), *learner.buffers())}
    return copy.deepcopy(learner, shared)
