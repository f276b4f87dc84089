"""Wrong labels in the support set, to measure or prevent overfitting to it."""

import numpy as np
import torch

from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode


class NoisyLabels(EpisodeSampler):
    """Episodes of another sampler in which a share of the support examples exchange their labels.

    The inputs are permuted and the targets stay, so each class keeps its number of examples.
    """

    def __init__(self, sampler: EpisodeSampler, share: float) -> None:
        self._sampler, self._share = sampler, share

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw an episode and exchange labels."""
        episode = self._sampler.episode(rng, shape)
        inputs = episode.support.inputs
        order = np.arange(len(inputs))
        chosen = np.flatnonzero(rng.random(len(inputs)) < self._share)
        order[chosen] = np.roll(chosen, 1)
        return episode._replace(support=episode.support._replace(inputs=inputs[torch.from_numpy(order)]))
