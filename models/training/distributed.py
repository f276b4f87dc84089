"""The outer loss of several episodes: computed as one batch, and on several processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from models.datasets.episode import stack
from models.learner import Episode, Learner, Support


def outer_loss_of(learner: Learner) -> nn.Module:
    """A module that maps (episodes, done) to their mean outer loss. Under `torchrun`, each process gives its own
    episodes, and the gradients that `backward` leaves are the means over all processes."""
    outer = OuterLoss(learner)
    if not distributed.is_initialized():
        return outer
    return DistributedDataParallel(outer, find_unused_parameters=True)


class OuterLoss(nn.Module):
    """The mean outer loss of a learner on a list of episodes."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, episodes: list[Episode], done: float) -> Tensor:
        """One episode as it is; several, which must be of one shape, in one computation."""
        if len(episodes) == 1:
            return self.learner.outer_loss(episodes[0], done)
        return mean_loss(self.learner, stack(episodes), done)


def mean_loss(learner: Learner, episodes: Episode, done: float) -> Tensor:
    """The mean outer loss of stacked episodes, computed as one batch."""
    ways = episodes.support.ways

    def loss(inputs: Tensor, targets: Tensor, mask: Tensor, query: Tensor, answers: Tensor) -> Tensor:
        return learner.outer_loss(Episode(Support(inputs, targets, mask, ways), query, answers), done)

    support = episodes.support
    mapped = torch.vmap(loss, randomness="different")
    return mapped(support.inputs, support.targets, support.mask, episodes.query, episodes.targets).mean()


def processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; the first, 0, looks and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the other processes of `torchrun`, if there are any; yields the device that is this one's."""
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    on_gpu, own = device.startswith("cuda"), int(os.environ["LOCAL_RANK"])
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield f"cuda:{own}" if on_gpu else device
        distributed.barrier(device_ids=[own] if on_gpu else None)  # who leaves first closes what others still read
    finally:
        distributed.destroy_process_group()
