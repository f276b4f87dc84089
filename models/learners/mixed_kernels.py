"""Kernel ridge regression on features of several parts, each with a kernel of its own.

Several kernels for one task: Gönen, Alpaydin 2011, "Multiple Kernel Learning Algorithms", JMLR 12. The mixture that
a client gets is an average over mixtures, not a search for the best, which a few examples do not tell.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Episode, Kind, State, full_mask
from models.learners.averaged_kernels import TINY, AveragedKernels
from models.losses import cross_entropy, squared_error


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosines (n, m) of vectors (n, d) and (m, d)."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """What two vectors share over all that they have, (n, m): ab / (aa + bb - ab)."""
    shared = a @ b.T
    return shared / (a.square().sum(-1, keepdim=True) + b.square().sum(-1) - shared + TINY)


def rbf(a: Tensor, b: Tensor, width: float = 1.0) -> Tensor:
    """exp(-|a - b|^2 / (2 width^2)), (n, m)."""
    squared = a.square().sum(-1, keepdim=True) - 2 * a @ b.T + b.square().sum(-1)
    return (-squared.clamp(min=0) / (2 * width**2)).exp()


KERNELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine,
    "tanimoto": tanimoto,
    "rbf": rbf,
    "wide-rbf": partial(rbf, width=2.0),
}
"""Kernels by name. Each is 1 between a vector and itself, so that they count alike in a mean."""


class MixedKernels(AveragedKernels):
    """Averages kernel ridge regressions over mixtures of kernels, one kernel for each part of the features.

    The mixtures are the means of the kernels of each subset of the parts. So a client whose task is unlike those of the
    meta-training leaves what was learned there, and one whose task is alike uses it. Meta-training minimises the query
    loss of one regression, on the mean of all kernels: what is learned is what the other parts lack. A regression of
    values has `deviations`.

    Args:
        encoder: The encoder that all clients share.
        kernels: The kernel of each part of its features, by name.
        kind: "classification" or "regression".
        strength: Ridge strength of the meta-training, and the median of the prior on it.
        spread: The standard deviation of the logarithm of the strength.
        trust: Weight of the leave-one-out likelihood; the evidence has 1 - trust.
    """

    mixtures: Tensor

    algorithm = "Averaged kernel ridge regression on mixtures of kernels"

    def __init__(
        self,
        encoder: Encoder,
        kernels: list[str],
        kind: str = Kind.CLASSIFICATION,
        strength: float = 2.0,
        spread: float = 0.7,
        trust: float = 0.5,
    ) -> None:
        super().__init__(encoder, kind, strength, spread, trust)
        if len(kernels) != len(encoder.parts) or not set(kernels) <= set(KERNELS):
            raise ValueError(f"kernels: takes one of {', '.join(KERNELS)} for each of {len(encoder.parts)} parts")
        self.several_labels = self.kind is Kind.CLASSIFICATION
        self.deviations = self.kind is Kind.REGRESSION
        self.names = kernels
        subsets = torch.tensor([each for each in product((0.0, 1.0), repeat=len(kernels)) if any(each)])
        self.register_buffer("mixtures", subsets / subsets.sum(-1, keepdim=True), persistent=False)
        self.log_strength.requires_grad_(False)
        self.log_slope = nn.Parameter(torch.tensor(1.0))

    def known(self, rows: Tensor, mask: Tensor, residuals: Tensor) -> State:
        """The rows."""
        return {"rows": torch.where(mask.unsqueeze(-1), rows, 0.0)}

    def kernels(self, queries: Tensor, known: State) -> Tensor:
        """The mixtures (mixtures, q, n) of the kernels of all parts."""
        return torch.einsum("mk,kqn->mqn", self.mixtures.to(queries.dtype), self.of_parts(queries, known["rows"]))

    def of_parts(self, queries: Tensor, rows: Tensor) -> Tensor:
        """The kernel (parts, q, n) of each part of features (q, d) and (n, d)."""
        pairs = zip(*(torch.split(each, list(self.encoder.parts), -1) for each in (queries, rows)), strict=True)
        return torch.stack([KERNELS[name](*pair) for name, pair in zip(self.names, pairs, strict=True)])

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The query loss of kernel ridge regression on the mean of all kernels."""
        support, query, targets = self.encode_support(episode.support), self.encode(episode.query), episode.targets
        values = F.one_hot(support.targets, support.ways).to(query.dtype) if support.ways else support.targets
        base = values.mean(0)
        gram, asked = (self.of_parts(each, support.inputs).mean(0) for each in (support.inputs, query))
        system = gram + self.log_strength.exp() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        answers = asked @ torch.linalg.solve_ex(system, values - base).result
        if support.ways:
            return cross_entropy(answers * self.log_slope.exp(), targets, full_mask(targets))
        return squared_error(base + answers, targets, full_mask(targets))
