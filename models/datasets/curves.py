"""Random curves: draws of Gaussian processes, as in Garnelo et al. 2018 and Kim et al. 2019, whose kernels vary."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Support

Floats = NDArray[np.float64]

WIDEST = 2.0
"""x is uniform from -2 to 2."""
NOISE = 0.05
"""Standard deviation of the noise of y. That of the curves is 1."""
LENGTHS, PERIODS = (0.25, 1.0), (1.0, 4.0)
KERNELS = ("rbf", "matern", "periodic", "sine")


@dataclass(frozen=True)
class Kernel:
    """The covariance of a curve's values (Rasmussen, Williams 2006, section 4.2).

    `sine` is that of a sin(2 pi x / period) + b cos(2 pi x / period) with normal a and b: a wave of any phase.

    Args:
        name: A name in `KERNELS`.
        length: The length scale.
        period: The period, of those that have one.
    """

    name: str
    length: float
    period: float

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """The covariances (n, m) of the values at a (n, 1) and b (m, 1)."""
        gaps, turn = np.abs(a - b.T), 2 * np.pi / self.period
        if self.name == "sine":
            return cast(Floats, np.cos(turn * gaps))
        if self.name == "periodic":
            return cast(Floats, np.exp(-2 * (np.sin(turn * gaps / 2) / self.length) ** 2))
        if self.name == "matern":
            scaled = np.sqrt(5) * gaps / self.length
            return cast(Floats, (1 + scaled + scaled**2 / 3) * np.exp(-scaled))
        return cast(Floats, np.exp(-0.5 * (gaps / self.length) ** 2))


class Curve(NamedTuple):
    """An episode and the kernel that its curve was drawn with."""

    kernel: Kernel
    episode: Episode


class Curves(EpisodeSampler):
    """Curves of some kernels, each with a length scale and a period of its own."""

    def __init__(self, kernels: tuple[str, ...]) -> None:
        self._kernels = kernels

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """One curve: `shape.shots` support points and `shape.queries` query points; x and y are (n, 1)."""
        return self.draw(rng, shape).episode

    def draw(self, rng: np.random.Generator, shape: Shape) -> Curve:
        """The same, with its kernel."""
        kernel = Kernel(str(rng.choice(self._kernels)), rng.uniform(*LENGTHS), rng.uniform(*PERIODS))
        k, n = shape.shots, shape.shots + shape.queries
        x = rng.uniform(-WIDEST, WIDEST, (n, 1))
        factor = np.linalg.cholesky(kernel(x, x) + NOISE**2 * np.eye(n))
        inputs, targets = (torch.tensor(each, dtype=torch.float32) for each in (x, factor @ rng.normal(size=(n, 1))))
        support = Support(inputs[:k], targets[:k], torch.ones(k, dtype=torch.bool), ways=0)
        return Curve(kernel, Episode(support, inputs[k:], targets[k:]))


def posterior(kernel: Kernel, support: Support, query: torch.Tensor) -> torch.Tensor:
    """The exact answers with a known kernel: means and standard deviations (q, 2) of noisy values at queries (q, 1)."""
    x, y, asked = (np.asarray(each, np.float64) for each in (support.inputs, support.targets, query))
    gains = np.linalg.solve(kernel(x, x) + NOISE**2 * np.eye(len(x)), np.hstack([y, kernel(x, asked)]))
    means, explained = kernel(asked, x) @ gains[:, :1], (kernel(x, asked) * gains[:, 1:]).sum(0)
    deviations = np.sqrt(np.maximum(1 - explained, 0) + NOISE**2)
    return torch.tensor(np.hstack([means, deviations[:, None]]), dtype=torch.float32)


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Curves:
    return Curves(KERNELS if split == "curves" else (split,))


CURVES = Dataset(
    name="curves",
    kind=Kind.REGRESSION,
    input_type="vector",
    splits=dict.fromkeys(("curves", *KERNELS)),
    test_split="curves",
    open=_open,
)
