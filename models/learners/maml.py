"""MAML: Finn, Abbeel, Levine 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks".

arXiv:1703.03400
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.inner_loop import GradientLearner, Loss, SupportLoss
from models.learner import Episode, Kind, State, Support, full_mask
from models.native import KernelEncoder


class KernelTask(NamedTuple):
    """The arguments of the native kernel for one client."""

    encoder: KernelEncoder
    weights: State
    head: State
    support: Support


class MAML(GradientLearner):
    """The state is the whole network after gradient descent on the support loss (algorithm 1).

    A task with fewer classes than a learned head has outputs uses the head's first rows. This equals masking the other
    outputs with minus infinity, in the inner loss and in the answers.

    Args:
        encoder: The initial weights of every client's own encoder.
        outputs: Rows of a learned head. None: no head is learned; that of a task starts at zero, with a row for each
            class. A learned head only prefers some labels over others, which mean nothing before adaptation. Without
            it, any number of classes works, and permuting them permutes the answers (Ye, Chao 2022, arXiv:2106.16245,
            "Unicorn"; Kao et al. 2022, arXiv:2106.15367, the "zeroing trick"). Regression needs `outputs`.
        kind: "classification" or "regression".
        inner_lr: Learning rate of the inner loop, for a loss that is a mean. The authors' code sums over N*K examples
            and divides by K, so its 0.4 (5-way) and 0.1 (20-way) are both 2.0 here.
        inner_steps: Steps in `train()` mode.
        eval_inner_steps: Steps in `eval()` mode; None: as many as in `train()` mode.
        first_order: Drop the second derivatives from the meta-gradient (FOMAML, section 5.2).
        optimiser: "sgd", or "learned": `models/update_rule.py` makes the steps in place of `inner_lr`.
        outer_scale: Factor of the answers to queries in the outer loss, for classification. A small inner learning
            rate gives a head of zeros small logits. Their softmax is flat, so that a loss without this factor would
            move the encoder by easy pairs of classes as much as by hard ones. The order of the classes does not
            depend on it, and the served probabilities have their own temperature. Not in the paper.
    """

    algorithm = "MAML"
    paper = "Finn, Abbeel, Levine 2017, arXiv:1703.03400"

    def __init__(
        self,
        encoder: Encoder,
        outputs: int | None = None,
        kind: str = Kind.CLASSIFICATION,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        eval_inner_steps: int | None = None,
        first_order: bool = False,
        optimiser: str = "sgd",
        outer_scale: float = 1.0,
    ) -> None:
        super().__init__(inner_lr, inner_steps, eval_inner_steps, first_order, optimiser)
        self.kind, self.outer_scale = Kind(kind), outer_scale
        if self.kind is Kind.REGRESSION and outputs is None:
            raise ValueError("a regression learner needs `outputs`, the numbers in one answer")
        if self.kind is Kind.REGRESSION and outer_scale != 1.0:
            raise ValueError("`outer_scale` is for classification: it would change the answers of a regression")
        self.max_ways = outputs if self.kind is Kind.CLASSIFICATION else None
        self.encoder, self.head = encoder, nn.Linear(encoder.feature_dim, outputs) if outputs else None

    def adapt(self, support: Support) -> State:
        """Adapted weights of the encoder and of the head's rows in use, under their own names."""
        return self.inner_loop(self.support_loss(support), self.initial(support))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the client's own network."""
        features = native.encode(self.encoder, query, part(state, "encoder."))
        return F.linear(features, state["head.weight"], state["head.bias"])

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The query loss after adaptation."""
        return self.query_loss(self.answer(episode.support, episode.query), episode.targets)

    def query_loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """The loss of answers (q, ways) or (q, outputs) to queries in meta-training."""
        return self.loss(self.outer_scale * answers, targets, full_mask(targets))

    def inner_loop(self, loss: Loss, params: State) -> State:
        """The adapted `params`: by the native kernel, all steps at once, where it can."""
        lrs = self.lrs_of_layers(self.steps_now())
        if lrs is None or (task := self.kernel_task(loss, params, lrs)) is None:
            return super().inner_loop(loss, params)
        return _named(params, *native.descent(*task, lrs))

    def gradients(self, loss: Loss, params: State) -> State:
        """The gradients of the loss: by the native kernel where it can."""
        task = self.kernel_task(loss, params)
        return super().gradients(loss, params) if task is None else _named(params, *native.gradients(*task))

    def lrs_of_layers(self, steps: int) -> Tensor | None:
        """The learning rates of `update`, (steps, weights and biases in order). None if it is no plain descent."""
        if self.rule is not None or type(self).update is not GradientLearner.update:
            return None
        return torch.full((steps, len(list(self.encoder.parameters())) + 2), self.inner_lr)

    def kernel_task(self, loss: Loss, params: State, *others: Tensor) -> KernelTask | None:
        """The arguments of the native kernel, where it can descend on this loss."""
        encoder: object = self.encoder
        if not isinstance(loss, SupportLoss) or not native.has_kernel(encoder) or not self.classifies_linearly():
            return None
        weights, head = part(params, "encoder."), part(params, "head.")
        taken = native.takes(encoder, weights, [loss.support.inputs, *head.values(), *others])
        return KernelTask(encoder, weights, head, loss.support) if taken else None

    def classifies_linearly(self) -> bool:
        """Whether the answers are those of a linear classifier on the encoder, as the kernel assumes."""
        return self.kind is Kind.CLASSIFICATION and type(self).predict is MAML.predict

    def initial(self, support: Support) -> State:
        """The weights that the inner loop starts from, by name."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        return encoder | {f"head.{name}": value for name, value in self.initial_head(support).items()}

    def initial_head(self, support: Support) -> State:
        """The head's `weight` (rows, d) and `bias` (rows,) for the classes of a task; all rows for regression."""
        return self.head_rows(support.ways)

    def head_rows(self, rows: int) -> State:
        """The first rows of the head; 0 for all of it."""
        if self.head is not None:
            return {name: value[: rows or None] for name, value in self.head.named_parameters()}
        like = next(self.encoder.parameters())
        return {"weight": like.new_zeros(rows, self.encoder.feature_dim), "bias": like.new_zeros(rows)}

    def layers(self) -> State:
        """The weights that the inner loop adapts, by name, for learners with parameters for each layer. A head that is
        not learned has one row here, because all its rows are equal."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        head = self.head_rows(0 if self.head is not None else 1)
        return encoder | {f"head.{name}": value for name, value in head.items()}


def _named(like: State, encoder: State, head: State) -> State:
    """An encoder's and a head's values as one state, in the order of `like`."""
    named = {f"encoder.{name}": value for name, value in encoder.items()}
    named |= {f"head.{name}": value for name, value in head.items()}
    return {name: named[name] for name in like}


def part(state: State, prefix: str) -> State:
    """The tensors with this prefix, under the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
