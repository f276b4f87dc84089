"""MAML: Finn, Abbeel, Levine 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks".

arXiv:1703.03400
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from models import native
from models.encoders import Encoder
from models.encoders.conv4 import Conv4
from models.inner_loop import GradientLearner, Loss, SupportLoss
from models.learner import Kind, State, Support


class MAML(GradientLearner):
    """The state is the whole network after `steps` of gradient descent on the support loss (algorithm 1).

    `rate` goes with a MEAN-reduced loss. The authors' code sums over N*K examples and divides by K, so that its
    0.4 (5-way) and 0.1 (20-way) are both a rate of 2.0 here.
    `first_order` drops the second derivatives from the meta-gradient (FOMAML, section 5.2).
    `steps` are taken in `train()` mode, `adapt_steps` (default: as many) in `eval()` mode.
    `outputs` None: no head is learned, and a task's begins at zero with a row for each of its classes. A learned head
    only prefers some labels over others, which mean nothing before they are given; without one, any number of classes
    is taken, and permuting them permutes the answers (Ye, Chao 2022, arXiv:2106.16245, "Unicorn"; Kao et al. 2022,
    arXiv:2106.15367, the "zeroing trick"). Regression needs `outputs`.
    A task with fewer classes than a learned head has outputs uses the head's first rows alone, which is the same as
    masking the others with minus infinity in the inner loss and in the answer.
    """

    algorithm = "MAML"
    paper = "Finn, Abbeel, Levine 2017, arXiv:1703.03400"

    def __init__(
        self,
        encoder: Encoder,
        outputs: int | None = None,
        kind: str = Kind.CLASSIFICATION,
        rate: float = 0.01,
        steps: int = 1,
        adapt_steps: int | None = None,
        first_order: bool = False,
    ) -> None:
        super().__init__(rate, steps, adapt_steps, first_order)
        self.kind = Kind(kind)
        if self.kind is Kind.REGRESSION and outputs is None:
            raise ValueError("a regression needs to know its number of outputs")
        self.max_ways = outputs if self.kind is Kind.CLASSIFICATION else None
        self.encoder, self.head = encoder, nn.Linear(encoder.features, outputs) if outputs else None

    def adapt(self, support: Support) -> State:
        """Adapted weights of the encoder and of the head's rows in use, under their own names."""
        return self.inner_loop(self.support_loss(support), self.initial(support))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the client's own network."""
        features = _features(self.encoder, part(state, "encoder."), query)
        return F.linear(features, state["head.weight"], state["head.bias"])

    def inner_loop(self, loss: Loss, params: State) -> State:
        """What `params` have become; by the native kernel, all steps at once, where it can."""
        rates = self.rates_of_layers(self.steps if self.training else self.adapt_steps)
        if rates is None or (given := self.given_to_kernel(loss, params, rates)) is None:
            return super().inner_loop(loss, params)
        return _named(params, *native.descent(*given, rates))

    def gradients(self, loss: Loss, params: State) -> State:
        """The gradients of the loss, by the native kernel where it can."""
        given = self.given_to_kernel(loss, params)
        return super().gradients(loss, params) if given is None else _named(params, *native.gradients(*given))

    def rates_of_layers(self, steps: int) -> Tensor | None:
        """The rates (steps, weights and biases in order) by which `update` descends; None where it does otherwise."""
        if type(self).update is not GradientLearner.update:
            return None
        return torch.full((steps, len(list(self.encoder.parameters())) + 2), self.rate)

    def given_to_kernel(self, loss: Loss, params: State, *others: Tensor) -> tuple[Conv4, State, State, Support] | None:
        """The encoder, its weights, the head's and the support, where the native kernel can take these."""
        encoder = self.encoder
        if not isinstance(loss, SupportLoss) or not isinstance(encoder, Conv4) or not self.classifies_linearly():
            return None
        weights, head = part(params, "encoder."), part(params, "head.")
        taken = native.takes(encoder, weights, [loss.support.inputs, *head.values(), *others])
        return (encoder, weights, head, loss.support) if taken else None

    def classifies_linearly(self) -> bool:
        """Whether the answers are those of a linear classifier on the encoder: some learners answer in another way."""
        return self.kind is Kind.CLASSIFICATION and type(self).predict is MAML.predict

    def initial(self, support: Support) -> State:
        """The weights from which a task is adapted, by name."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        return encoder | {f"head.{name}": value for name, value in self.initial_head(support).items()}

    def initial_head(self, support: Support) -> State:
        """The head's `weight` (rows, d) and `bias` (rows,) for the classes of a task; all of it for regression."""
        return self.head_rows(support.ways)

    def head_rows(self, rows: int) -> State:
        """So many rows of the head; 0 for all of it."""
        if self.head is not None:
            return {name: value[: rows or None] for name, value in self.head.named_parameters()}
        like = next(self.encoder.parameters())
        return {"weight": like.new_zeros(rows, self.encoder.features), "bias": like.new_zeros(rows)}

    def layers(self) -> State:
        """What is adapted, by name, for learners that have something of their own for each; of a head that is not
        learned one row, since its rows are alike."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        head = self.head_rows(0 if self.head is not None else 1)
        return encoder | {f"head.{name}": value for name, value in head.items()}


def _features(encoder: Encoder, weights: State, images: Tensor) -> Tensor:
    """What an encoder gives with these weights; without putting them into it where the native kernel takes them."""
    if isinstance(encoder, Conv4) and native.takes(encoder, weights, [images]):
        return native.features(encoder, weights, images)
    features: Tensor = functional_call(encoder, weights, (images,))
    return features


def _named(like: State, encoder: State, head: State) -> State:
    """An encoder's and a head's values as one state, in the order of another."""
    named = {f"encoder.{name}": value for name, value in encoder.items()}
    named |= {f"head.{name}": value for name, value in head.items()}
    return {name: named[name] for name in like}


def part(state: State, prefix: str) -> State:
    """What has this prefix, by the names behind it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
