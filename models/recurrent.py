"""One step of an LSTM and of a GRU, written out because torch's fused kernels do not work under `torch.vmap`."""

import torch.nn.functional as F
from torch import Tensor, nn


def lstm_step(cell: nn.LSTMCell, inputs: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The next hidden state and memory, as `cell(inputs, (hidden, memory))` returns them.

    Args:
        cell: The weights. Their rows are the input gate, the forget gate, the candidate and the output gate.
        inputs: (..., d).
        hidden: (..., h).
        memory: (..., h).
    """
    gates = F.linear(inputs, cell.weight_ih, cell.bias_ih) + F.linear(hidden, cell.weight_hh, cell.bias_hh)
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, -1)
    memory = forget_gate.sigmoid() * memory + input_gate.sigmoid() * candidate.tanh()
    return output_gate.sigmoid() * memory.tanh(), memory


def gru_step(cell: nn.GRUCell, inputs: Tensor, hidden: Tensor) -> Tensor:
    """The next hidden state, as `cell(inputs, hidden)` returns it.

    Args:
        cell: The weights. Their rows are the reset gate, the update gate and the candidate.
        inputs: (..., d).
        hidden: (..., h).
    """
    read, held = F.linear(inputs, cell.weight_ih, cell.bias_ih), F.linear(hidden, cell.weight_hh, cell.bias_hh)
    (reset, update, candidate), (held_reset, held_update, held_candidate) = read.chunk(3, -1), held.chunk(3, -1)
    keep = (update + held_update).sigmoid()
    new = (candidate + (reset + held_reset).sigmoid() * held_candidate).tanh()
    return keep * hidden + (1 - keep) * new
