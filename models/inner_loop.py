"""The inner loop: learners that adapt by gradient descent on the loss of their support set."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import ClassVar

import torch

from models.learner import Learner, State, Support
from models.update_rule import UpdateRule

Loss = Callable[[State], torch.Tensor]
"""The mean support loss () as a function of the adapted tensors."""

OPTIMISERS = ("sgd", "learned")


@dataclass(frozen=True)
class SupportLoss:
    """The loss of a learner's own answers to a support set. It keeps both, so that a learner can compute the gradients
    faster."""

    learner: Learner
    support: Support

    def __call__(self, state: State) -> torch.Tensor:
        """The loss () of the answers from a state."""
        inputs, targets, mask = self.support[:3]
        return self.learner.loss(self.learner.predict(state, inputs), targets, mask)


class GradientLearner(Learner):
    """A learner that adapts by gradient descent.

    Args:
        inner_lr: Learning rate of the inner loop, for a loss that is a mean over examples.
        inner_steps: Steps in `train()` mode.
        eval_inner_steps: Steps in `eval()` mode; None: as many as in `train()` mode.
        first_order: Treat the gradients of the inner loop as constants, which drops the second derivatives from the
            meta-gradient.
        optimiser: What makes the steps: "sgd", or "learned" for an `UpdateRule` in place of `inner_lr`.
    """

    own_updates: ClassVar[bool] = False
    """Whether the learner makes its steps in a way of its own, so that no optimiser can."""

    def __init__(
        self,
        inner_lr: float,
        inner_steps: int,
        eval_inner_steps: int | None,
        first_order: bool,
        optimiser: str = "sgd",
    ) -> None:
        super().__init__()
        if optimiser not in OPTIMISERS or (optimiser != "sgd" and self.own_updates):
            taken = "its own updates only" if self.own_updates else ", ".join(OPTIMISERS)
            raise ValueError(f"optimiser: {self.algorithm} takes {taken}, not {optimiser!r}")
        self.rule = UpdateRule() if optimiser == "learned" else None
        self.inner_lr, self.inner_steps, self.first_order = inner_lr, inner_steps, first_order
        self.eval_inner_steps = inner_steps if eval_inner_steps is None else eval_inner_steps

    def steps_now(self) -> int:
        """Steps of the inner loop in the present mode."""
        return self.inner_steps if self.training else self.eval_inner_steps

    def support_loss(self, support: Support) -> Loss:
        """The loss on the support as a function of a state."""
        return SupportLoss(self, support)

    def inner_loop(self, loss: Loss, params: State) -> State:
        """The adapted `params`, which are not changed."""
        adapted = {name: value.clone() for name, value in params.items()}  # a state owns its memory, even after 0 steps
        if self.rule is not None:
            trajectory = self.rule.trajectory(partial(self.constants, loss), adapted)
            return [adapted, *islice(trajectory, self.steps_now())][-1]
        for number in range(self.steps_now()):
            adapted = self.step(number, loss, adapted)
        return adapted

    def step(self, number: int, loss: Loss, params: State) -> State:
        """Step `number`, from 0. It is differentiable with respect to `params` unless `first_order`."""
        gradients = self.gradients(loss, params)
        if self.first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        return self.update(number, params, gradients)

    def constants(self, loss: Loss, params: State) -> State:
        """The gradients of the loss as constants, as in the papers of learned optimisers."""
        return {name: gradient.detach() for name, gradient in self.gradients(loss, params).items()}

    def gradients(self, loss: Loss, params: State) -> State:
        """The gradients of the loss, by name. Override it for a faster way."""
        gradients: State = torch.func.grad(loss)(params)
        return gradients

    def update(self, number: int, params: State, gradients: State) -> State:
        """Plain gradient descent. Override it for learned learning rates."""
        return {name: value - self.inner_lr * gradients[name] for name, value in params.items()}
