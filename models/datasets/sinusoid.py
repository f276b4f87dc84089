"""Sinusoid regression as in the MAML paper (Finn et al. 2017, arXiv:1703.03400), section 5.1."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Support


class Sinusoid(EpisodeSampler):
    """y = A sin(x - phase), A ~ U[0.1, 5], phase ~ U[0, pi], x ~ U[-5, 5].

    The phase is subtracted, and queries are random points, as in the authors' code.
    """

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """One sine wave: `shape.shots` support points and `shape.queries` query points; x and y are (n, 1)."""
        amplitude, phase = rng.uniform(0.1, 5.0), rng.uniform(0.0, np.pi)
        x = rng.uniform(-5.0, 5.0, (shape.shots + shape.queries, 1))
        y = amplitude * np.sin(x - phase)
        inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        k = shape.shots
        support = Support(inputs[:k], targets[:k], torch.ones(k, dtype=torch.bool), ways=0)
        return Episode(support, inputs[k:], targets[k:])


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Sinusoid:
    return Sinusoid()


SINUSOID = Dataset(
    name="sinusoid",
    kind=Kind.REGRESSION,
    input_type="vector",
    splits={"sinusoid": None},
    test_split="sinusoid",
    open=_open,
)
