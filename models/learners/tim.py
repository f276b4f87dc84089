"""TIM: Boudiaf et al. 2020, "Transductive Information Maximization for Few-Shot Learning", arXiv:2008.11297.

alpha-TIM: Veilleux et al. 2021, "Realistic Evaluation of Transductive Few-Shot Learning", arXiv:2204.11181.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models import native
from models.encoders import Encoder
from models.functional import class_means, squared_distances
from models.inner_loop import GradientLearner
from models.learner import State, Support


class TIM(GradientLearner):
    """Prototypes that move, for each request, to separate its queries into classes (TIM-GD).

    The prototypes descend on a weighted sum: the cross-entropy of the support; minus the entropy of the mean answer,
    so that every class is used; plus the mean entropy of the answers, so that each answer is confident. Features have
    length 1, as in the authors' code. With fewer queries than classes, the prototypes stay where they are. The paper
    takes 1000 small steps of Adam; here it is a few steps of plain descent, so that a request is fast. In `train()`
    mode nothing moves: the encoder is meta-trained as that of a prototypical network.

    Args:
        encoder: The encoder that all clients share.
        temperature: Factor of the logits.
        inner_lr: Learning rate of the prototypes.
        eval_inner_steps: Steps of descent in `eval()` mode.
        weights: Weights of the three terms, as in the authors' code.
        alpha: Order of Tsallis' entropies for the two terms of the queries (alpha-TIM); None: Shannon's. Shannon's
            assume equally many queries of each class, and harm where this is wrong. A larger alpha enforces less
            balance: 2 for one example a class and 7 for five, in the authors' code.
    """

    algorithm = "Transductive information maximisation (TIM)"
    paper = "Boudiaf et al. 2020, arXiv:2008.11297; Veilleux et al. 2021, arXiv:2204.11181"
    transductive = True

    def __init__(
        self,
        encoder: Encoder,
        temperature: float = 15.0,
        inner_lr: float = 0.3,
        eval_inner_steps: int = 50,
        weights: Sequence[float] = (0.1, 1.0, 0.1),
        alpha: float | None = None,
    ) -> None:
        super().__init__(inner_lr, inner_steps=0, eval_inner_steps=eval_inner_steps, first_order=True)
        self.encoder, self.temperature, self.weights, self.alpha = encoder, temperature, weights, alpha

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d), of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d), and for the cross-entropy the support's features (n, d) and one-hot labels (n, ways).
        The label of padding is all zeros."""
        features = support.inputs.clone(memory_format=torch.contiguous_format)
        labels = F.one_hot(support.targets, support.ways).to(features.dtype) * support.mask.unsqueeze(-1)
        return {"prototypes": class_means(features, support), "points": features, "labels": labels}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways). They depend on all queries if there are at least as many as classes."""
        prototypes = state["prototypes"]
        if len(query) >= len(prototypes):
            prototypes = self.moved(state, query)
        return self.logits(query, prototypes)

    def moved(self, state: State, query: Tensor) -> Tensor:
        """The prototypes (ways, d) after descent for query features (q, d)."""

        def loss(moving: State) -> Tensor:
            support_logits = self.logits(state["points"], moving["prototypes"])
            return self.objective(support_logits, state["labels"], self.logits(query, moving["prototypes"]))

        return self.inner_loop(loss, {"prototypes": state["prototypes"]})["prototypes"]

    def objective(self, support_logits: Tensor, labels: Tensor, query_logits: Tensor) -> Tensor:
        """The loss () of the prototypes.

        Args:
            support_logits: (n, ways).
            labels: One-hot labels of the support, (n, ways).
            query_logits: (q, ways).
        """
        support, marginal, conditional = self.weights
        log_each = query_logits.log_softmax(-1)
        log_mean = log_each.logsumexp(0) - math.log(len(query_logits))
        error = -(labels * support_logits.log_softmax(-1)).sum() / labels.sum()
        return support * error - marginal * self.entropy(log_mean) + conditional * self.entropy(log_each).mean()

    def entropy(self, logs: Tensor) -> Tensor:
        """Entropy of distributions given by their logarithms (..., ways): Shannon's, or Tsallis' of order alpha."""
        if self.alpha is None:
            return -(logs.exp() * logs).sum(-1)
        return (1 - (self.alpha * logs).exp().sum(-1)) / (self.alpha - 1)

    def logits(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """Minus half the squared distances (q, ways), times the temperature."""
        return -self.temperature / 2 * squared_distances(features, prototypes)
