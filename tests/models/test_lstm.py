"""The LSTM meta-learner against torch's own LSTM cell, and against plain gradient descent."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Episode, Learner, State, Support
from models.learners.lstm import preprocessed
from tests.models.learners import STRIDED, network_of, support
from tests.models.test_maml import episode_of, learner_of, meta_gradient

CLASSIFY = Spec("lstm", "mlp", {"outputs": 3, "inner_steps": 3}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec("lstm", "mlp", {"outputs": 1, "kind": "regression", "inner_steps": 3}, {"inputs": 2, "widths": [6, 5]})
IMAGES = Spec("lstm", "conv4", {"outputs": 3, "inner_steps": 3}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def with_drawn_gates(spec: Spec) -> Learner:
    learner, generator = learner_of(spec), torch.Generator().manual_seed(5)
    for gate, middle in ((learner.forget, 4.0), (learner.admit, -1.0)):
        nn.init.normal_(gate.weight, std=0.3, generator=generator)
        nn.init.constant_(gate.bias, middle)
    return learner


def as_two_numbers(value: float) -> list[float]:
    if abs(value) >= math.exp(-10):
        return [math.log(abs(value)) / 10, math.copysign(1, value)]
    return [-1.0, math.exp(10) * value]


def by_hand(learner: Learner, full: Support) -> State:
    """Weight by weight of the network, with torch's LSTM cell."""
    weights = {name: one for name, one in learner.named_parameters() if name.startswith(("encoder.", "head."))}
    cells: dict[str, tuple[Tensor, Tensor]] = {}
    gates = {name: torch.zeros(2, value.numel(), dtype=torch.float64) for name, value in weights.items()}
    for _ in range(learner.inner_steps):
        answers = torch.func.functional_call(network_of(learner), weights, full.inputs)
        lost = F.cross_entropy(answers, full.targets) if full.ways else F.mse_loss(answers, full.targets)
        gradients = torch.autograd.grad(lost, list(weights.values()), retain_graph=True)
        for (name, value), gradient in zip(list(weights.items()), gradients, strict=True):
            seen = [as_two_numbers(one) + as_two_numbers(lost.item()) for one in gradient.flatten().tolist()]
            cells[name] = learner.cell(torch.tensor(seen, dtype=torch.float64), cells.get(name))
            known = torch.cat([cells[name][0], value.reshape(-1, 1)], 1)
            forget, admit = (
                torch.sigmoid(torch.cat([known, last.unsqueeze(1)], 1) @ gate.weight[0] + gate.bias)
                for gate, last in zip((learner.forget, learner.admit), gates[name], strict=True)
            )
            gates[name] = torch.stack([forget, admit])
            weights[name] = forget.view(value.shape) * value - admit.view(value.shape) * gradient
    return weights


@over_kinds
def test_the_adapted_weights_equal_those_of_torchs_cell(spec):
    learner, full = with_drawn_gates(spec), episode_of(spec).support
    assert_close(learner.adapt(full), by_hand(learner, full), **TIGHT)


@over_kinds
def test_the_meta_gradient_is_that_of_torchs_cell_with_constant_gradients_and_losses(spec):
    learner, (full, asked, targets) = with_drawn_gates(spec), episode_of(spec)
    answers = torch.func.functional_call(network_of(learner), by_hand(learner, full), asked)
    loss = F.cross_entropy(answers, targets) if full.ways else F.mse_loss(answers, targets)
    names, parameters = zip(*learner.named_parameters(), strict=True)
    expected = dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
    assert_close(meta_gradient(learner, Episode(full, asked, targets)), expected, rtol=1e-7, atol=1e-10)
    assert all(value.any() for value in expected.values())


@over_kinds
def test_with_an_open_forget_gate_and_a_fixed_input_gate_it_is_gradient_descent(spec):
    learner, full, rate = learner_of(spec), episode_of(spec).support, 0.3
    for gate, bias in ((learner.forget, torch.inf), (learner.admit, math.log(rate / (1 - rate)))):
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, bias)
    maml = learner_of(Spec("maml", spec.encoder, spec.learner_options | {"inner_lr": rate}, spec.encoder_options))
    maml.load_state_dict(learner.state_dict(), strict=False)
    assert_close(learner.adapt(full), maml.adapt(full), **TIGHT)


@pytest.mark.parametrize(("value", "expected"), [
    (1.0, [0.0, 1.0]),
    (-math.exp(-5), [-0.5, -1.0]),
    (math.exp(20), [2.0, 1.0]),
    (math.exp(-10), [-1.0, 1.0]),
    (-math.exp(-12), [-1.0, -math.exp(-2)]),
    (0.0, [-1.0, 0.0]),
])  # fmt: skip
def test_preprocessing_keeps_magnitude_and_sign(value, expected):
    assert preprocessed(torch.tensor(value, dtype=torch.float64)).tolist() == pytest.approx(expected, abs=1e-12)


def test_the_initial_gates_forget_little_and_admit_little():
    learner = learner_of(CLASSIFY)
    assert 4 <= learner.forget.bias.item() <= 5
    assert -5 <= learner.admit.bias.item() <= -4
    assert learner_of(CLASSIFY, input_bias=[1.0, 1.0]).admit.bias.item() == 1.0


def test_the_rows_of_the_head_that_are_not_in_use_learn_nothing():
    learner, two = with_drawn_gates(IMAGES), support(IMAGES, [2, 2], 0, torch.float64)
    gradients = meta_gradient(learner, Episode(two, two.inputs, two.targets))
    assert gradients["head.weight"].any(1).tolist() == [True, True, False]
    assert gradients["head.bias"].bool().tolist() == [True, True, False]
