"""Wrong labels in the support, against overfitting to it."""

import numpy as np
import torch

from models.datasets.episode import Shape, Tasks
from models.learner import Episode, Kind


class NoisyLabels:
    """Episodes of other tasks in which a share of the support's examples have exchanged their labels.

    The inputs change places, and the labels keep theirs: so each class keeps its number of examples.
    """

    def __init__(self, tasks: Tasks, share: float) -> None:
        self.kind: Kind = tasks.kind
        self._tasks, self._share = tasks, share

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one task, and exchange."""
        episode = self._tasks.episode(rng, shape)
        inputs = episode.support.inputs
        order = np.arange(len(inputs))
        chosen = np.flatnonzero(rng.random(len(inputs)) < self._share)
        order[chosen] = np.roll(chosen, 1)
        return episode._replace(support=episode.support._replace(inputs=inputs[torch.from_numpy(order)]))
