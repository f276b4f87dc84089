"""The LSTM meta-learner: Ravi and Larochelle 2017, "Optimization as a Model for Few-Shot Learning".

ICLR 2017, https://openreview.net/forum?id=rJY0-Kcll. The preprocessing is that of Andrychowicz et al. 2016,
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


class CellState(NamedTuple):
    """The state of the LSTM for each coordinate: `hidden` and `memory` (coordinates, units), and the last `forget` and
    `admit` gates (coordinates,)."""

    hidden: Tensor
    memory: Tensor
    forget: Tensor
    admit: Tensor


class LSTMMetaLearner(MAML):
    """The inner loop is an LSTM whose cell state is the learner's weights: c = forget * c - admit * gradient (3.1).

    The forget gate is the weight decay, and the input gate, `admit`, the learning rate of each coordinate and step.
    Both are computed from the output of an ordinary LSTM, which reads the gradient and the loss, from the weight and
    from the last gate. All coordinates share the weights of the LSTM and of the gates (3.2). The first cell state, the
    initial weights, is learned. Gradients and losses are constants to the meta-gradient, as in the paper (3.3).
    Adaptation holds `units` copies of the weights. Each step sees the whole support, where the authors take
    mini-batches, so the order of the examples does not matter.

    Args:
        encoder: The initial weights of every client's own encoder.
        outputs: Rows of the head.
        inner_steps: Steps in `train()` mode.
        units: Hidden units of the LSTM.
        forget_bias: The range of the forget gate's initial bias, as the authors'.
        input_bias: The range of the input gate's initial bias, as the authors': a learning rate of about 0.01.
        options: Others of `MAML`.
    """

    algorithm = "LSTM meta-learner"
    paper = "Ravi, Larochelle 2017, ICLR; cf. arXiv:1606.04474"
    own_updates = True

    def __init__(
        self,
        encoder: Encoder,
        outputs: int,
        inner_steps: int = 5,
        units: int = 20,
        forget_bias: Sequence[float] = (4.0, 5.0),
        input_bias: Sequence[float] = (-5.0, -4.0),
        **options: Any,
    ) -> None:
        super().__init__(encoder, outputs, inner_steps=inner_steps, **options)
        self.cell = nn.LSTMCell(4, units)
        self.forget, self.admit = _gate(units, *forget_bias), _gate(units, *input_bias)

    def inner_loop(self, loss: Loss, params: State) -> State:
        """The cell state after the steps of this mode. In between, all coordinates are one vector."""
        weights = torch.cat([value.flatten() for value in params.values()])
        cell_state = self.initial_cell_state(weights)
        for _ in range(self.steps_now()):
            gradients, value = torch.func.grad_and_value(lambda flat: loss(unflattened(flat, params)))(weights.detach())
            weights, cell_state = self.cell_step(weights, gradients.detach(), value.detach(), cell_state)
        return {name: value.clone() for name, value in unflattened(weights, params).items()}

    def initial_cell_state(self, weights: Tensor) -> CellState:
        """Zeros."""
        memory, gates = weights.new_zeros(len(weights), self.cell.hidden_size), torch.zeros_like(weights)
        return CellState(memory, memory, gates, gates)

    def cell_step(self, weights: Tensor, gradients: Tensor, loss: Tensor, last: CellState) -> tuple[Tensor, CellState]:
        """The next values of the weights (coordinates,), and the next cell state."""
        inputs = torch.cat([preprocessed(gradients), preprocessed(loss).expand(len(weights), 2)], -1)
        hidden, memory = lstm_step(self.cell, inputs, last.hidden, last.memory)

        def gate(layer: nn.Linear, before: Tensor) -> Tensor:
            value: Tensor = layer(torch.cat([hidden, weights.unsqueeze(-1), before.unsqueeze(-1)], -1))
            return value.squeeze(-1).sigmoid()

        forget, admit = gate(self.forget, last.forget), gate(self.admit, last.admit)
        return forget * weights - admit * gradients, CellState(hidden, memory, forget, admit)


def unflattened(flat: Tensor, like: State) -> State:
    """A vector of all coordinates as tensors with the names and shapes of `like`."""
    parts = torch.split_with_sizes(flat, [value.numel() for value in like.values()])
    return {name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)}


def preprocessed(values: Tensor, p: float = 10.0) -> Tensor:
    """Magnitude and sign of values (*shape) as two numbers of similar range, (*shape, 2): (log |x| / p, sign x), or
    (-1, e^p x) for |x| below e^-p."""
    size = values.abs().clamp(min=math.exp(-p)).log() / p
    return torch.stack([size, (math.exp(p) * values).clamp(-1, 1)], -1)


def _gate(units: int, lowest: float, highest: float) -> nn.Linear:
    """A gate that is almost the same for every input at first, as the authors' are."""
    layer = nn.Linear(units + 2, 1)
    nn.init.uniform_(layer.weight, -0.01, 0.01)
    nn.init.uniform_(layer.bias, lowest, highest)
    return layer
