"""A learner with the inputs that it takes, and the support sets that the laws try."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from models.learner import Kind, Learner, Support

SHOTS: tuple[list[int], ...] = ([1, 1], [1, 2, 3], [3, 1, 2, 1, 2])
"""Examples of each class, in the support sets that the laws try."""
QUERIES = 4

same = partial(assert_close, rtol=0.0, atol=0.0)
nearly = partial(assert_close, rtol=1e-9, atol=1e-9)
"""In float64: only the order of additions may differ."""


@dataclass(frozen=True)
class Case:
    """A learner and the inputs that it takes.

    Args:
        learner: Makes a learner, with any weights.
        inputs: Makes `count` random inputs (count, *input) from a generator.
        outputs: Numbers in one target, for regression.
    """

    learner: Callable[[], Learner]
    inputs: Callable[[int, Generator], Tensor]
    outputs: int = 1

    def served(self, dtype: torch.dtype = torch.float64) -> Learner:
        """The learner as it is served: in eval mode, its weights frozen."""
        return self.learner().to(dtype).eval().requires_grad_(False)

    def drawn(self, count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Random inputs (count, *input); floats have this dtype."""
        inputs = self.inputs(count, Generator().manual_seed(seed))
        return inputs.to(dtype) if inputs.is_floating_point() else inputs

    def features(self, learner: Learner, count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """The features (count, *features) of random inputs."""
        return learner.encode(self.drawn(count, seed, dtype))

    def support(self, learner: Learner, shots: Sequence[int], seed: int, dtype: torch.dtype = torch.float64) -> Support:
        """An encoded support set with `shots[c]` examples of each class c, or as many points in all for regression."""
        n = sum(shots)
        features, mask = self.features(learner, n, seed, dtype), torch.ones(n, dtype=torch.bool)
        if learner.kind is Kind.REGRESSION:
            targets = torch.randn(n, self.outputs, generator=Generator().manual_seed(seed + 1), dtype=dtype)
            return Support(features, targets, mask, 0)
        return Support(features, torch.arange(len(shots)).repeat_interleave(torch.tensor(shots)), mask, len(shots))

    def tasks(self, learner: Learner) -> Iterator[tuple[Support, Tensor]]:
        """Encoded support sets of several shapes, and the features of queries."""
        for seed, shots in enumerate(SHOTS):
            if len(shots) <= (learner.max_ways or len(shots)):
                yield self.support(learner, shots, seed), self.features(learner, QUERIES, seed + 100)


def padded(support: Support, rows: int, seed: int = 2) -> Support:
    """The support set with `rows` masked rows behind it, which hold other examples' inputs, times 100 if floats."""
    chosen = torch.randint(len(support.mask), (rows,), generator=Generator().manual_seed(seed))
    inputs = support.inputs[chosen]
    inputs = 100 * inputs if inputs.is_floating_point() else inputs
    targets = torch.arange(rows) % support.ways if support.ways else 100 * torch.ones_like(support.targets[chosen])
    return Support(
        torch.cat([support.inputs, inputs]),
        torch.cat([support.targets, targets]),
        torch.cat([support.mask, torch.zeros(rows, dtype=torch.bool)]),
        support.ways,
    )


def reordered(support: Support, order: Tensor) -> Support:
    """The support set with its examples in another order."""
    return Support(support.inputs[order], support.targets[order], support.mask[order], support.ways)
