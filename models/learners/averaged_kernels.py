"""Kernel ridge regression, averaged over kernels and ridge strengths: closed form.

Kernel ridge regression: Kanagawa et al. 2018, "Gaussian Processes and Kernel Methods", arXiv:1807.02582. Leave-one-out
residuals and evidence: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", sections 5.4.1, 5.4.2.
"""

import math
from abc import abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.explanations import contrasted
from models.learner import Contributions, Kind, Learner, State, Support

STRENGTHS = 7
"""Ridge strengths, each ten to the half times the one before."""
SLOPES = 40
"""Slopes that are tried for the probabilities."""
LEAST_VARIANCE = 1e-4
"""Of an answer, as a share of what no example explains. Rounding could make it negative."""
TINY = 1e-12


class Average(NamedTuple):
    """An average over kernels and ridge strengths.

    duals      (kernels, n, outputs): the weights of the rows in each kernel
    left_out   (n, outputs): the leave-one-out answers
    errors     (n, outputs): their errors, each times the root of its weight
    vectors    (kernels, n, n): the eigenvectors, each row times the root of its weight
    spectrum   (kernels, strengths, n): the eigenvalues plus the strength
    strengths  (strengths,)
    scales     (kernels, strengths): the best scale of the variance, times the weight of the pair
    variances  (n, 1): the leave-one-out variances
    """

    duals: Tensor
    left_out: Tensor
    errors: Tensor
    vectors: Tensor
    spectrum: Tensor
    strengths: Tensor
    scales: Tensor
    variances: Tensor


class AveragedKernels(Learner):
    """Kernel ridge regression of one-hot labels, or of values, averaged over kernels and ridge strengths.

    Each pair of a kernel and a strength is weighted by its leave-one-out likelihood, its evidence, and a log-normal
    prior on the strength. The logits are the log-frequencies of the classes plus a slope times the average; the slope
    has the smallest leave-one-out cross-entropy. A learner of this kind says what its kernels are.

    A regression may have `deviations`: the posterior variances of a Gaussian process (equation 2.26), averaged like the
    answers, times the factor that explains the leave-one-out errors. Then each kernel is 1 between an input and itself.

    Args:
        encoder: The encoder that all clients share.
        kind: "classification" or "regression".
        strength: The median of the prior on the ridge strength.
        spread: The standard deviation of the logarithm of the strength.
        trust: Weight of the leave-one-out likelihood; the evidence has 1 - trust.
    """

    paper = "Kanagawa, Hennig, Sejdinovic, Sriperumbudur 2018, arXiv:1807.02582, section 3"
    explains = "logits"
    exact_states = True
    learns_unit = True
    weighted_examples = True
    max_examples = 512

    def __init__(
        self,
        encoder: Encoder,
        kind: str = Kind.CLASSIFICATION,
        strength: float = 1.0,
        spread: float = 0.7,
        trust: float = 0.5,
    ) -> None:
        super().__init__()
        self.kind, self.encoder = Kind(kind), encoder
        self.log_strength = nn.Parameter(torch.tensor(strength).log())
        self.spread, self.trust = spread, trust

    @abstractmethod
    def known(self, rows: Tensor, mask: Tensor, residuals: Tensor) -> State:
        """What the kernels need of the support set.

        Args:
            rows: Features (n, d).
            mask: (n,) False for padding.
            residuals: Centred one-hot labels or values (n, outputs), zeros for padding.
        """

    @abstractmethod
    def kernels(self, queries: Tensor, known: State) -> Tensor:
        """The kernels (kernels, q, n) between queries (q, d) and the support set."""

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        return native.encode(self.encoder, inputs)

    def adapt(self, support: Support) -> State:
        """What is known of the support set, and the weights of each row in each kernel, (kernels, n, outputs)."""
        with torch.autocast(support.inputs.device.type, enabled=False):
            rows, mask = support.inputs.flatten(1), support.counted().mask
            values = F.one_hot(support.targets, support.ways) if support.ways else support.targets
            values = torch.where(mask.unsqueeze(-1), values.double(), 0.0)
            counts = support.counts(values)
            base = counts @ values / counts.sum()
            residuals = (values - base) * mask.unsqueeze(-1)
            known = {name: each.to(rows.dtype) for name, each in self.known(rows.double(), mask, residuals).items()}
            gram = _masked(self.kernels(rows, known).double(), mask)
            unit = (counts @ residuals.square().mean(-1) / counts.sum()).sqrt() + TINY
            average = self._average(gram, residuals / unit, counts)
            head = self._classify if support.ways else self._regress
            state = known | {"duals": average.duals * unit} | head(average.left_out * unit, values, base, counts)
            if self.deviations:
                noise, explained = self._variance(average, counts)
                state |= {"noise": noise * unit**2, "explained": explained * unit**2}
            return {name: value.to(rows.dtype).contiguous() for name, value in state.items()}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways), or values (q, outputs) no farther beyond the support than half of its range."""
        with torch.autocast(query.device.type, enabled=False):
            kernels = self.kernels(query.flatten(1), state)
            values = (kernels @ state["duals"]).sum(0)
            if self.kind is Kind.CLASSIFICATION:
                return state["base"] + state["slope"] * values
            values = (state["base"] + values).clamp(state["low"], state["high"])
            return torch.cat([values, self._deviations(kernels, state, values)], -1) if self.deviations else values

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: its kernels with the query, times its coefficients in them.

        The answer is a sum over the examples and kernels (representer theorem), times the slope, which is kept as it
        is. The base is the frequencies of the classes, or the mean, and what the limits of a regression cut off.
        """
        state = self.adapt(support)
        parts = torch.einsum("kqn,knw,qw->qn", self.kernels(query.flatten(1), state), state["duals"], contrast)
        weights = parts * state["slope"] if self.kind is Kind.CLASSIFICATION else parts
        return Contributions(weights, contrasted(self.predict(state, query), contrast) - weights.sum(-1))

    def _average(self, gram: Tensor, values: Tensor, counts: Tensor) -> Average:
        """Average over kernels and strengths.

        A row that counts c times has the error of its answer c times: the ridge of rows that are multiplied by the
        root of c.
        """
        roots, count = counts.sqrt().unsqueeze(-1), counts.sum()
        gram, values = gram * roots * roots.T, values * roots
        steps = torch.arange(STRENGTHS, dtype=gram.dtype, device=gram.device) - STRENGTHS // 2
        offsets = steps * math.log(10) / 2
        strengths = (self.log_strength.double() + offsets).exp()
        spectrum, vectors = torch.linalg.eigh(gram)
        spectrum = spectrum.clamp(min=0).unsqueeze(1) + strengths[:, None]  # (kernels, strengths, n)
        projected = vectors.mT @ values
        duals = vectors.unsqueeze(1) @ (projected.unsqueeze(1) / spectrum.unsqueeze(-1))
        inverse = (vectors.square().unsqueeze(1) @ (1 / spectrum).unsqueeze(-1)).clamp(min=TINY)
        errors = duals / inverse  # padding has none
        scales = (duals * values).sum(-2).mean(-1) / count
        evidence = self._evidence(scales, spectrum, strengths, counts)
        likelihood = -0.5 * count * (errors.square().mean(-1).sum(-1) / count + 1e-6).log()
        prior = -0.5 * (offsets / self.spread).square()
        score = self.trust * likelihood + (1 - self.trust) * evidence + prior
        weight = score.flatten().softmax(0).view(*score.shape, 1, 1)
        off = (weight * errors).sum((0, 1))
        return Average(
            duals=(weight * duals).sum(1) * roots,
            left_out=(values - off) / roots.clamp(min=TINY),
            errors=off,
            vectors=vectors * roots,
            spectrum=spectrum,
            strengths=strengths,
            scales=weight.flatten(1) * scales,
            variances=(weight * scales[:, :, None, None] / inverse).sum((0, 1)),
        )

    def _variance(self, average: Average, counts: Tensor) -> tuple[Tensor, Tensor]:
        """The variance of an answer that no example explains, and the matrices (kernels, n, n) of what they explain."""
        vectors, scales = average.vectors, average.scales
        explained = vectors * (scales.unsqueeze(-1) / average.spectrum).sum(1).unsqueeze(1) @ vectors.mT
        noise = (scales * (1 + average.strengths)).sum()
        factor = (
            average.errors.square().mean(-1, keepdim=True) / average.variances.clamp(min=TINY)
        ).sum() / counts.sum()
        return factor * noise, factor * explained

    def _deviations(self, kernels: Tensor, state: State, values: Tensor) -> Tensor:
        """The standard deviation of each value, (q, outputs)."""
        explained = torch.einsum("kqn,knm,kqm->q", kernels, state["explained"], kernels)
        least = LEAST_VARIANCE * state["noise"] + TINY
        return torch.maximum(state["noise"] - explained, least).sqrt().unsqueeze(-1).expand_as(values)

    def _evidence(self, scales: Tensor, spectrum: Tensor, strengths: Tensor, counts: Tensor) -> Tensor:
        """The log-evidence (kernels, strengths) of one output, at the best `scales` of its variance."""
        padding = (counts == 0).sum() * strengths.log()
        return -0.5 * (counts.sum() * (scales + TINY).log() + spectrum.log().sum(-1) - padding)

    def _classify(self, left_out: Tensor, values: Tensor, base: Tensor, counts: Tensor) -> State:
        """The slope of the logits."""
        values = values * counts.unsqueeze(-1)
        logits = ((values.sum(0) + 0.5) / (values.sum() + 0.5 * len(base))).log()
        slopes = torch.logspace(-1, 1.6, SLOPES, dtype=values.dtype, device=values.device)
        losses = -(values * (logits + slopes[:, None, None] * left_out).log_softmax(-1)).sum((-1, -2))
        prior = 0.5 * ((slopes.log() - 1.2) / 1.0).square()
        weights = (-losses - prior).softmax(0)
        return {"base": logits, "slope": (weights * slopes.log()).sum().exp()}

    def _regress(self, left_out: Tensor, values: Tensor, base: Tensor, counts: Tensor) -> State:
        """The range of the answers."""
        seen = counts.unsqueeze(-1) > 0
        low = torch.where(seen, values, torch.inf).amin(0)
        high = torch.where(seen, values, -torch.inf).amax(0)
        return {"base": base, "low": low - (high - low) / 2, "high": high + (high - low) / 2}


def _masked(gram: Tensor, mask: Tensor) -> Tensor:
    """The kernels (kernels, n, n) with zeros for padding."""
    return gram * (mask.unsqueeze(-1) & mask)
