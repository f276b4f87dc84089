"""A dataset: generated waveforms. A class is a set of harmonics; its examples differ in phase and noise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.datasets import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Support

CLASSES, HARMONICS = 200, 8
SEEDS = {"train": 0, "val": 1, "test": 2}
"""Each split has classes of its own."""


class Waveforms(EpisodeSampler):
    """Episodes of one split."""

    def __init__(self, seed: int, length: int, noise: float) -> None:
        self._amplitudes = np.random.default_rng(seed).exponential(size=(CLASSES, HARMONICS))
        self._length, self._noise = length, noise

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes, and waves of each class."""
        chosen = rng.choice(CLASSES, shape.ways, replace=False)
        inputs, queries = self._waves(rng, chosen, shape.shots), self._waves(rng, chosen, shape.queries)
        labels = torch.arange(shape.ways)
        mask = torch.ones(len(inputs), dtype=torch.bool)
        support = Support(inputs, labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(support, queries, labels.repeat_interleave(shape.queries))

    def _waves(self, rng: np.random.Generator, classes: np.ndarray, count: int) -> Tensor:
        """`count` waves of each class, (classes * count, length)."""
        amplitudes = self._amplitudes[classes].repeat(count, axis=0)[:, :, None]
        phases = rng.uniform(0, 2 * np.pi, amplitudes.shape)
        turns = np.outer(np.arange(1, HARMONICS + 1), np.linspace(0, 2 * np.pi, self._length, endpoint=False))
        waves = (amplitudes * np.sin(turns + phases)).sum(1)
        return torch.tensor(waves + rng.normal(0, self._noise, waves.shape), dtype=torch.float32)


def _open(path: Path | None, split: str, input: Mapping[str, Any], *, noise: float = 0.3) -> Waveforms:
    return Waveforms(SEEDS[split], input["length"], noise)


WAVEFORMS = Dataset(
    name="waveforms",
    kind=Kind.CLASSIFICATION,
    input_type="series",
    splits=dict.fromkeys(SEEDS),
    test_split="test",
    open=_open,
)
