"""The outer loss of several episodes, as one batch and on several processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from models.datasets.episode import stack
from models.learner import Episode, Learner, Support


def outer_loss_of(learner: Learner) -> nn.Module:
    """A module that maps (episodes, progress) to their mean outer loss.

    Under `torchrun`, each process passes its own episodes, and `backward` leaves the mean gradients of all processes.
    """
    module = OuterLoss(learner)
    if not distributed.is_initialized():
        return module
    return DistributedDataParallel(module, find_unused_parameters=True)


class OuterLoss(nn.Module):
    """The mean outer loss of a learner on a list of episodes."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, episodes: list[Episode], progress: float) -> Tensor:
        """The mean outer loss. Several episodes must have the same shape, and are computed as one batch."""
        if len(episodes) == 1:
            return self.learner.outer_loss(episodes[0], progress)
        return mean_loss(self.learner, stack(episodes), progress)


def mean_loss(learner: Learner, episodes: Episode, progress: float) -> Tensor:
    """The mean outer loss of stacked episodes, computed as one batch."""
    ways = episodes.support.ways

    def loss(inputs: Tensor, targets: Tensor, mask: Tensor, query: Tensor, answers: Tensor) -> Tensor:
        return learner.outer_loss(Episode(Support(inputs, targets, mask, ways), query, answers), progress)

    support = episodes.support
    mapped = torch.vmap(loss, randomness="different")
    return mapped(support.inputs, support.targets, support.mask, episodes.query, episodes.targets).mean()


def processes() -> int:
    """The number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process. Process 0 validates and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the other processes of `torchrun`, if there are any. Yields this process's own device."""
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    on_gpu, own = device.startswith("cuda"), int(os.environ["LOCAL_RANK"])
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield f"cuda:{own}" if on_gpu else device
        # Wait for each other: a process that leaves early closes connections that the others still read.
        distributed.barrier(device_ids=[own] if on_gpu else None)
    finally:
        distributed.destroy_process_group()
