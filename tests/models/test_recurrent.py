"""The steps of an LSTM and of a GRU against torch's own cells."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.recurrent import gru_step, lstm_step

TIGHT = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture
def cell() -> nn.LSTMCell:
    torch.manual_seed(0)
    return nn.LSTMCell(3, 5).double()


def states(*shape: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(*shape, width, generator=generator, dtype=torch.float64) for width in (3, 5, 5)]


@pytest.mark.parametrize("shape", [(), (4,)])
def test_a_step_equals_that_of_the_lstm_cell(cell, shape):
    inputs, hidden, memory = states(*shape)
    assert_close(lstm_step(cell, inputs, hidden, memory), cell(inputs, (hidden, memory)), **TIGHT)


def test_a_step_has_the_gradients_of_the_cell(cell):
    inputs, hidden, memory = states(4)
    weights = tuple(cell.parameters())
    ours = torch.autograd.grad(lstm_step(cell, inputs, hidden, memory)[0].sum(), weights)
    assert_close(ours, torch.autograd.grad(cell(inputs, (hidden, memory))[0].sum(), weights), **TIGHT)


def test_a_step_works_under_vmap(cell):
    together = states(2, 4)
    hidden, memory = torch.vmap(lambda *each: lstm_step(cell, *each))(*together)
    for client in range(2):
        alone = lstm_step(cell, *(each[client] for each in together))
        assert_close((hidden[client], memory[client]), alone, **TIGHT)


@pytest.mark.parametrize("shape", [(), (4,)])
def test_a_step_equals_that_of_the_gru_cell(shape):
    torch.manual_seed(0)
    cell = nn.GRUCell(3, 5).double()
    inputs, hidden, _ = states(*shape)
    assert_close(gru_step(cell, inputs, hidden), cell(inputs, hidden), **TIGHT)
