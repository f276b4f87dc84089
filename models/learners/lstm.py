"""The LSTM meta-learner: Ravi and Larochelle 2017, "Optimization as a Model for Few-Shot Learning".

ICLR 2017, https://openreview.net/forum?id=rJY0-Kcll; the preprocessing is of Andrychowicz et al. 2016,
arXiv:1606.04474, appendix A.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.inner_loop import Loss
from models.learner import State
from models.learners.maml import MAML
from models.recurrent import lstm_step


class Carried(NamedTuple):
    """What the LSTM keeps of each coordinate of the weights: `hidden` and `memory` (coordinates, units), and the last
    `forget` and `admit` gates (coordinates,)."""

    hidden: Tensor
    memory: Tensor
    forget: Tensor
    admit: Tensor


class LSTMMetaLearner(MAML):
    """The inner loop is an LSTM whose cell state is the learner's weights: c = forget * c - admit * gradient (3.1).

    The forget gate is weight decay and the input gate, `admit`, the rate, of each coordinate and step. They are made
    from the output of an ordinary LSTM of `units`, which reads the gradient and the loss, and from the weight and the
    gate before; both are shared by all coordinates (3.2). The first cell state, the initial weights, is learned.
    Gradients and losses are constants to the meta-gradient, as in the paper (3.3).
    The gates' biases begin uniform in `forget_bias` and `input_bias`: the authors' ranges, the second of which is a
    rate of about 0.01. A `units`-fold copy of the weights is held while a client adapts; each step sees the whole
    support, where the authors take mini-batches, so that the order of the examples changes nothing.
    """

    algorithm = "LSTM meta-learner"
    paper = "Ravi, Larochelle 2017, ICLR; cf. arXiv:1606.04474"

    def __init__(
        self,
        encoder: Encoder,
        outputs: int,
        steps: int = 5,
        units: int = 20,
        forget_bias: Sequence[float] = (4.0, 5.0),
        input_bias: Sequence[float] = (-5.0, -4.0),
        **options: Any,
    ) -> None:
        super().__init__(encoder, outputs, steps=steps, **options)
        self.cell = nn.LSTMCell(4, units)
        self.forget, self.admit = _gate(units, *forget_bias), _gate(units, *input_bias)

    def inner_loop(self, loss: Loss, params: State) -> State:
        """The cell state after as many steps as this mode asks, all coordinates as one vector on the way."""
        weights = torch.cat([value.flatten() for value in params.values()])
        carried = self.nothing(weights)
        for _ in range(self.steps if self.training else self.adapt_steps):
            gradients, lost = torch.func.grad_and_value(lambda flat: loss(unflattened(flat, params)))(weights.detach())
            weights, carried = self.cell_step(weights, gradients.detach(), lost.detach(), carried)
        return {name: value.clone() for name, value in unflattened(weights, params).items()}

    def nothing(self, weights: Tensor) -> Carried:
        """What is carried into the first step."""
        memory, gates = weights.new_zeros(len(weights), self.cell.hidden_size), torch.zeros_like(weights)
        return Carried(memory, memory, gates, gates)

    def cell_step(self, weights: Tensor, gradients: Tensor, lost: Tensor, last: Carried) -> tuple[Tensor, Carried]:
        """The next values of the weights (coordinates,), and what is carried on."""
        seen = torch.cat([preprocessed(gradients), preprocessed(lost).expand(len(weights), 2)], -1)
        hidden, memory = lstm_step(self.cell, seen, last.hidden, last.memory)

        def gate(layer: nn.Linear, before: Tensor) -> Tensor:
            value: Tensor = layer(torch.cat([hidden, weights.unsqueeze(-1), before.unsqueeze(-1)], -1))
            return value.squeeze(-1).sigmoid()

        forget, admit = gate(self.forget, last.forget), gate(self.admit, last.admit)
        return forget * weights - admit * gradients, Carried(hidden, memory, forget, admit)


def unflattened(flat: Tensor, like: State) -> State:
    """A vector of all coordinates as tensors of the names and shapes of `like`."""
    parts = torch.split_with_sizes(flat, [value.numel() for value in like.values()])
    return {name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)}


def preprocessed(values: Tensor, p: float = 10.0) -> Tensor:
    """Size and sign of values (*shape) as two numbers of similar range, (*shape, 2): (log |x| / p, sign x), or
    (-1, e^p x) for what is smaller than e^-p."""
    size = values.abs().clamp(min=math.exp(-p)).log() / p
    return torch.stack([size, (math.exp(p) * values).clamp(-1, 1)], -1)


def _gate(units: int, lowest: float, highest: float) -> nn.Linear:
    """A gate that begins almost alike for every input, as the authors' do."""
    layer = nn.Linear(units + 2, 1)
    nn.init.uniform_(layer.weight, -0.01, 0.01)
    nn.init.uniform_(layer.bias, lowest, highest)
    return layer
