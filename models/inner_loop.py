"""The inner loop: learners that adapt by gradient descent on the loss of their support."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.learner import Learner, State, Support

Loss = Callable[[State], torch.Tensor]
"""The mean support loss as a function of what is adapted."""


@dataclass(frozen=True)
class SupportLoss:
    """The loss of a learner's own answers to a support. It says of what it is the loss, so that a learner may know a
    faster way to its gradients."""

    learner: Learner
    support: Support

    def __call__(self, state: State) -> torch.Tensor:
        """The loss () of the answers from a state."""
        inputs, targets, mask, _ = self.support
        return self.learner.loss(self.learner.predict(state, inputs), targets, mask)


class GradientLearner(Learner):
    """Adapts in `steps` in `train()` mode and in `adapt_steps` (default: as many) in `eval()` mode.

    `rate` goes with a MEAN-reduced loss. `first_order` treats every gradient of the inner loop as a constant, which
    drops the second derivatives from the meta-gradient.
    """

    def __init__(self, rate: float, steps: int, adapt_steps: int | None, first_order: bool) -> None:
        super().__init__()
        self.rate, self.steps, self.first_order = rate, steps, first_order
        self.adapt_steps = steps if adapt_steps is None else adapt_steps

    def support_loss(self, support: Support) -> Loss:
        """The loss on the support as a function of a state."""
        return SupportLoss(self, support)

    def inner_loop(self, loss: Loss, params: State) -> State:
        """What `params` have become after as many steps as this mode asks; they themselves stay as they are."""
        adapted = {name: value.clone() for name, value in params.items()}  # a state owns its memory, even after no step
        for step in range(self.steps if self.training else self.adapt_steps):
            adapted = self.step(step, loss, adapted)
        return adapted

    def step(self, number: int, loss: Loss, params: State) -> State:
        """One step, differentiable with respect to `params` unless `first_order`; `number` counts from 0."""
        gradients = self.gradients(loss, params)
        if self.first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        return self.update(number, params, gradients)

    def gradients(self, loss: Loss, params: State) -> State:
        """The gradients of the loss, by name. A learner that knows a faster way overrides it."""
        gradients: State = torch.func.grad(loss)(params)
        return gradients

    def update(self, number: int, params: State, gradients: State) -> State:
        """Plain gradient descent. A learner with rates of its own overrides it."""
        return {name: value - self.rate * gradients[name] for name, value in params.items()}
