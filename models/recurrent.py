"""A step of an LSTM from its weights alone, since the fused kernels of torch do not go through `torch.vmap`."""

import torch.nn.functional as F
from torch import Tensor, nn


def lstm_step(cell: nn.LSTMCell, inputs: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """What `cell(inputs, (hidden, memory))` returns: the next hidden state and memory.

    `inputs` (..., d), `hidden` and `memory` (..., h). The rows of the cell's weights are the input gate, the forget
    gate, the candidate and the output gate, in this order.
    """
    gates = F.linear(inputs, cell.weight_ih, cell.bias_ih) + F.linear(hidden, cell.weight_hh, cell.bias_hh)
    admit, keep, candidate, reveal = gates.chunk(4, -1)
    memory = keep.sigmoid() * memory + admit.sigmoid() * candidate.tanh()
    return reveal.sigmoid() * memory.tanh(), memory
