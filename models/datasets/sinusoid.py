"""Sinusoid regression as in the MAML paper, section 5.1."""

import numpy as np
import torch

from models.datasets.episode import Shape
from models.learner import Episode, Kind, Support


class Sinusoid:
    """y = A sin(x - phase), A ~ U[0.1, 5], phase ~ U[0, pi], x ~ U[-5, 5].

    The phase is subtracted, and queries are random points, as in the authors' code.
    """

    kind = Kind.REGRESSION

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """A wave, `shape.shots` points to learn from and `shape.queries` to be judged by; x and y are (n, 1)."""
        amplitude, phase = rng.uniform(0.1, 5.0), rng.uniform(0.0, np.pi)
        x = rng.uniform(-5.0, 5.0, (shape.shots + shape.queries, 1))
        y = amplitude * np.sin(x - phase)
        inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        k = shape.shots
        support = Support(inputs[:k], targets[:k], torch.ones(k, dtype=torch.bool), ways=0)
        return Episode(support, inputs[k:], targets[k:])
