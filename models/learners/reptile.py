"""Reptile: Nichol, Achiam, Schulman 2018, "On First-Order Meta-Learning Algorithms".

arXiv:1803.02999
"""

from typing import Any

import torch
from torch import Tensor

from models.encoders import Encoder
from models.learner import Episode, State, Support, full_mask
from models.learners.maml import MAML


class Reptile(MAML):
    """Learn each task for several steps, and move the initial weights towards the result (algorithm 1).

    Plain gradient descent in the inner loop on all examples at each step, as in the paper's analysis; the authors'
    runs on images take mini-batches, and Adam without momentum. In `eval()` mode it is fine-tuning from the initial
    weights.

    Args: as for `MAML`, without `first_order` and `outer_scale`.
    """

    algorithm = "Reptile"
    paper = "Nichol, Achiam, Schulman 2018, arXiv:1803.02999"

    def __init__(self, encoder: Encoder, outputs: int | None = None, **options: Any) -> None:
        super().__init__(encoder, outputs, first_order=True, **options)

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The query loss after learning. Its gradient is set to `theta - adapted theta`.

        Training does not split a task: support and queries are learned together, so the loss is that of examples
        already seen. Section 7 hands this gradient to an optimiser, which here is the training loop's Adam. With SGD
        of learning rate epsilon it is the update `theta + epsilon (adapted theta - theta)` of algorithm 1.
        """
        with torch.no_grad():
            adapted = self.adapt(all_examples(episode))
            loss = self.loss(self.predict(adapted, episode.query), episode.targets, full_mask(episode.targets))
        pull = displacement(self.initial(episode.support), adapted)
        return loss + pull - pull.detach()


def all_examples(episode: Episode) -> Support:
    """The support and the queries as one support set."""
    support = episode.support
    inputs, targets = torch.cat([support.inputs, episode.query]), torch.cat([support.targets, episode.targets])
    return Support(inputs, targets, torch.cat([support.mask, full_mask(episode.targets)]), support.ways)


def displacement(start: State, end: State) -> Tensor:
    """A scalar with the gradient `start - end` with respect to `start`."""
    return torch.stack([(value * (value - end[name]).detach()).sum() for name, value in start.items()]).sum()
