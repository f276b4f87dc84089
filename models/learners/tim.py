"""TIM: Boudiaf et al. 2020, "Transductive Information Maximization for Few-Shot Learning", arXiv:2008.11297.

alpha-TIM: Veilleux et al. 2021, "Realistic Evaluation of Transductive Few-Shot Learning", arXiv:2204.11181.
"""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from models.encoders import Encoder
from models.functional import class_means, squared_distances
from models.inner_loop import GradientLearner
from models.learner import State, Support
from models.losses import at_least_float32


class TIM(GradientLearner):
    """Prototypes that move, for every request, to where its queries fall into well-parted classes (TIM-GD).

    The prototypes descend on the sum of: the cross-entropy of the support; minus the entropy of the mean answer, so
    that no class is left out; plus the mean entropy of the answers, so that each is sure, with weights 0.1, 1 and
    0.1 and on features of length 1, as in the authors' code.
    `alpha` puts Tsallis' entropies for Shannon's into the two terms of the queries (alpha-TIM). Shannon's take
    the queries to be of all classes alike, and are worse than nothing where they are not; with a larger alpha
    (2 for one example a class, 7 for five, in the authors' code) less balance is forced upon them.
    Fewer queries than classes cannot be of all classes: they are answered by the prototypes as they are.
    We take few steps of plain descent where the paper takes 1000 small ones of Adam: one request must not wait long.
    In `train()` mode nothing moves: an encoder is meta-trained as that of a prototypical network.
    """

    algorithm = "Transductive information maximisation (TIM)"
    paper = "Boudiaf et al. 2020, arXiv:2008.11297; Veilleux et al. 2021, arXiv:2204.11181"
    transductive = True

    def __init__(
        self,
        encoder: Encoder,
        temperature: float = 15.0,
        rate: float = 0.3,
        adapt_steps: int = 50,
        weights: Sequence[float] = (0.1, 1.0, 0.1),
        alpha: float | None = None,
    ) -> None:
        super().__init__(rate, steps=0, adapt_steps=adapt_steps, first_order=True)
        self.encoder, self.temperature, self.weights, self.alpha = encoder, temperature, weights, alpha

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d), and what they stay tied to: the support's features (n, d) and one-hot labels (n, ways),
        of which rows of zeros are padding."""
        points = self.points(support.inputs)
        labels = F.one_hot(support.targets, support.ways).to(points.dtype) * support.mask.unsqueeze(-1)
        return {"prototypes": class_means(points, support), "points": points, "labels": labels}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways), which depend on all queries if there are as many as classes."""
        points, prototypes = self.points(query), state["prototypes"]
        if len(query) >= len(prototypes):
            prototypes = self.moved(state, points)
        return self.logits(points, prototypes)

    def moved(self, state: State, queries: Tensor) -> Tensor:
        """The prototypes for queries of features (q, d)."""

        def loss(moving: State) -> Tensor:
            seen, asked = (self.logits(points, moving["prototypes"]) for points in (state["points"], queries))
            return self.objective(seen, state["labels"], asked)

        return self.inner_loop(loss, {"prototypes": state["prototypes"]})["prototypes"]

    def objective(self, seen: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
        """What is descended on: logits of the support (n, ways) with its labels, and of the queries (q, ways)."""
        support, marginal, conditional = self.weights
        log_each = asked.log_softmax(-1)
        log_mean = log_each.logsumexp(0) - math.log(len(asked))
        error = -(labels * seen.log_softmax(-1)).sum() / labels.sum()
        return support * error - marginal * self.entropy(log_mean) + conditional * self.entropy(log_each).mean()

    def entropy(self, logs: Tensor) -> Tensor:
        """Of distributions whose logarithms are given (..., ways): Shannon's, or Tsallis' of order alpha."""
        if self.alpha is None:
            return -(logs.exp() * logs).sum(-1)
        return (1 - (self.alpha * logs).exp().sum(-1)) / (self.alpha - 1)

    def logits(self, points: Tensor, prototypes: Tensor) -> Tensor:
        """Minus half the squared distances (q, ways), times the temperature."""
        return -self.temperature / 2 * squared_distances(points, prototypes)

    def points(self, inputs: Tensor) -> Tensor:
        """Features of length 1, (n, d)."""
        return F.normalize(at_least_float32(self.encoder(inputs)), dim=-1)
