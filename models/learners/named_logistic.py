"""Logistic regression that also learns from the names of the classes, with probabilities calibrated per client.

The head is that of `logistic.py` (Tian et al. 2020, arXiv:2003.11539). A class name as a description of its class goes
back to Larochelle, Erhan, Bengio 2008, "Zero-data Learning of New Tasks", and is how CLIP classifies without examples
(Radford et al. 2021, arXiv:2103.00020). Here a name is one more example of its class, behind a gate, because names
may mean nothing to the encoder: "class 7", an id, another language.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.explanations import of_affine
from models.functional import all_pairs_loss, class_means
from models.learner import Contributions, Episode, State, Support
from models.learners.logistic import Logistic
from models.learners.ridge import with_constant
from models.logistic_solver import logistic_coefficients, logistic_regressions
from models.losses import cross_entropy

LEAST_CONTRAST = 0.2
"""Names are used when their mean contrast exceeds this over the square root of the number of classes."""
ENOUGH_NAMES = 0.75
"""The share of names with a good contrast above which all names are used."""
FOLDS = 4
"""Parts of a support set, each predicted by a head that is fitted to the others."""
SCALES = torch.linspace(-2.0, 4.5, 66).exp()
"""Scales of the logits that calibration chooses from."""


class Fitted(NamedTuple):
    """Weights (d + 1, ways), the `scale` of the logits, the weight of each name (ways,), and the penalty (1,)."""

    weights: Tensor
    scale: Tensor
    names: Tensor
    penalty: Tensor


class NamedLogistic(Logistic):
    """Logistic regression in which the name of a class is one more example of it, where names help.

    Probabilities are calibrated per client: the logits are scaled so that held-out examples of the client's own support
    set are most likely, drawn to a scale that depends on ways and shots only. With one example a class the latter is
    all there is. The same examples choose the penalty: noisy classes need a stronger one.

    Args:
        encoder: The encoder that all clients share, for inputs and names alike.
        penalty: Weight of the squared weights, where a client has one example a class.
        stronger: Factors of the penalty that may suit a client better.
        iterations: Steps of the solver.
        name_weight: What a name counts for, in examples.
        scale: Logarithm of the scale of the logits at two classes and one shot, and by how much it changes with the
            logarithms of shots and of ways. Fitted on validation classes.
        confidence: How strongly that scale holds against the client's own examples: the number of examples that
            outweigh it.
    """

    algorithm = "Logistic regression on frozen features and class names"
    paper = "Tian, Wang, Krishnan, Tenenbaum, Isola 2020, arXiv:2003.11539"
    uses_class_names = True

    def __init__(
        self,
        encoder: Encoder,
        penalty: float = 0.05,
        iterations: int = 20,
        name_weight: float = 2.0,
        scale: tuple[float, float, float] = (1.51, -0.018, -0.13),
        confidence: float = 1.0,
        stronger: Sequence[float] = (4.0, 16.0),
    ) -> None:
        super().__init__(encoder, penalty, iterations)
        self.name_weight, self.scale, self.confidence = name_weight, scale, confidence
        self.penalties = [penalty * factor for factor in (1.0, *stronger)]
        self.log_temperature = nn.Parameter(torch.tensor(math.log(20.0)))

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d) of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)

    def adapt(self, support: Support) -> State:
        """Weights (d + 1, ways), the `scale` of the logits, and the weight of each name, `names` (ways,)."""
        with torch.autocast(support.inputs.device.type, enabled=False):
            fitted = self._fitted(support.counted())
            return {"weights": fitted.weights, "scale": fitted.scale, "names": fitted.names}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways), on the scale on which their softmax is calibrated."""
        with torch.autocast(query.device.type, enabled=False):
            return with_constant(query) @ state["weights"] * state["scale"]

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example and each name contributes: its product with the query, times its coefficient.

        As for logistic regression, with names as further examples. The scale of the logits depends on the client's
        examples too; it is kept as it is. The base is the intercept.
        """
        fitted, count = self._fitted(support.counted()), len(support.inputs)
        points, labels = self._points(support, support.mask.unsqueeze(1), fitted.names)
        duals = logistic_coefficients(points, labels[:, 0], fitted.penalty, self.iterations) * fitted.scale
        found = of_affine(query, points, duals, contrast)
        names = None if support.names is None else found.examples[:, count:]
        return Contributions(found.examples[:, :count], found.base, names)

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The loss of cosine prototypes on all pairs of an episode's examples, and of the names as prototypes."""
        support, ways = episode.support, episode.support.ways
        encoded = (self.encode(support.inputs), self.encode(episode.query))
        features = torch.cat([each.reshape(ways, -1, each.shape[-1]) for each in encoded], 1)
        sharpness = self.log_temperature.exp()
        loss = all_pairs_loss(torch.einsum("cvd,kwd->cvwk", features, features) * sharpness)
        if support.names is None:
            return loss
        logits = features.flatten(0, 1) @ self.encode(support.names).T * sharpness
        targets = torch.arange(ways, device=logits.device).repeat_interleave(features.shape[1])
        return loss + cross_entropy(logits, targets, torch.ones_like(targets, dtype=torch.bool))

    def _fitted(self, support: Support) -> Fitted:
        names, (folds, counts) = self._name_weights(support), _folds(support)
        others = folds.unsqueeze(1) != torch.arange(FOLDS, device=folds.device)
        every = torch.ones_like(others[:, :1])
        masks = support.mask.unsqueeze(1) & torch.cat([every, others], 1)
        points, labels = self._points(support, masks, names)
        penalties = points.new_tensor(self.penalties)
        heads = logistic_regressions(points, labels, penalties, self.iterations)
        chosen, scale = self._calibrated(support, heads[:, :, 1:], folds, counts)
        weights = heads[:, :, 0].index_select(1, chosen).squeeze(1)
        return Fitted(weights, scale, names, penalties.index_select(0, chosen))

    def _points(self, support: Support, masks: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
        """The points (n, d + 1) and weighted labels (n, fits, ways) of examples, each in the fits of its mask
        (n, fits), then of names, which are in all."""
        weights = masks * support.counts(support.inputs).unsqueeze(1)
        labels = F.one_hot(support.targets, support.ways).unsqueeze(1) * weights.unsqueeze(-1)
        points = with_constant(support.inputs) * support.mask.unsqueeze(-1)
        if support.names is not None:
            points = torch.cat([points, with_constant(support.names) * (names > 0).unsqueeze(-1)])
            labels = torch.cat([labels, torch.diag(names).unsqueeze(1).expand(-1, masks.shape[1], -1)])
        return points, labels.to(points.dtype)

    def _name_weights(self, support: Support) -> Tensor:
        """The weight of each name (ways,): 0 where the gate is closed."""
        if support.names is None:
            return support.inputs.new_zeros(support.ways)
        return self.name_weight * open_gate(name_contrast(support)).to(support.inputs.dtype)

    def _calibrated(self, support: Support, heads: Tensor, folds: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """The place of the penalty (1,) and the scale of the logits () under which held-out examples are most likely.

        Each of the heads (d + 1, penalties, FOLDS, ways) was fitted without the examples of its fold.
        """
        inside = folds.unsqueeze(1) == torch.arange(FOLDS, device=folds.device)
        answers = (with_constant(support.inputs) @ heads.flatten(1)).view(-1, *heads.shape[1:])
        held_out = (answers * inside[:, None, :, None]).sum(2).transpose(0, 1)
        judged = support.mask & (counts[support.targets] > 1)
        scales, prior = SCALES.to(held_out), self._usual_scale(support, counts)
        likelihood = torch.stack([_likelihood(each, scales, support, judged) for each in held_out])
        best = (likelihood - self.confidence * (scales.log() - prior).square()).argmax().unsqueeze(0)
        chosen = torch.where(judged.any(), best // len(scales), 0)
        return chosen, torch.where(judged.any(), scales.gather(0, best % len(scales)).squeeze(0), prior.exp())

    def _usual_scale(self, support: Support, counts: Tensor) -> Tensor:
        """The logarithm of the scale () that suits most clients with so many ways and shots."""
        start, by_shots, by_ways = self.scale
        shots = counts.sum() / support.ways
        return start + by_shots * shots.log() + by_ways * math.log(support.ways)


def _likelihood(logits: Tensor, scales: Tensor, support: Support, judged: Tensor) -> Tensor:
    """The log-likelihood (scales,) of the judged examples (n,) under logits (n, ways) times each of the scales."""
    scaled = logits.T.unsqueeze(1) * scales.unsqueeze(1)
    found = scaled.log_softmax(0)[support.targets, :, torch.arange(len(judged))]
    return (judged * support.counts(found)) @ found


def name_contrast(support: Support) -> Tensor:
    """How much closer a name is to the mean of its own class than to the means of the others, (ways,)."""
    assert support.names is not None
    return contrast_of(F.normalize(class_means(support.inputs, support), dim=-1), support.names)


def contrast_of(means: Tensor, names: Tensor) -> Tensor:
    """The same for means (ways, d) and names (ways, d) of length 1."""
    similarities = means @ names.T
    own = similarities.diagonal()
    return own - (similarities.sum(0) - own) / (len(names) - 1)


def open_gate(contrast: Tensor) -> Tensor:
    """Which names are used, bool (ways,), by their contrast: none when names mean little on the whole; then all but
    those far below the mean, unless these are few or there are at most three classes."""
    ways, mean = len(contrast), contrast.mean()
    good = contrast >= mean / 4
    use_all = (good.float().mean() >= ENOUGH_NAMES) | torch.tensor(ways <= 3, device=contrast.device)
    return (good | use_all) & (mean >= LEAST_CONTRAST / math.sqrt(ways))


def _folds(support: Support) -> tuple[Tensor, Tensor]:
    """A fold for each example, (n,), spread over each class, and the number of examples of each class (ways,).

    Examples of a class are ranked by a projection of their features, so that the order of the support does not matter.
    """
    member = F.one_hot(support.targets, support.ways) * support.mask.unsqueeze(-1)
    directions = torch.linspace(1.0, 2.0, support.inputs.shape[-1], dtype=support.inputs.dtype)
    place = support.inputs @ directions.to(support.inputs.device)
    same = (support.targets.unsqueeze(1) == support.targets) & support.mask
    rank = (same & (place < place.unsqueeze(1))).sum(1)
    return rank % FOLDS, member.sum(0).to(support.inputs.dtype)
