"""A progressive network against torch's SGD on modules, and against the prototypes, where it starts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.functional import class_means
from models.learner import Episode, Learner, Support
from tests.models.learners import STRIDED, fresh, query, support

SPEC = Spec("progressive", "conv4", {"width": 8, "inner_lr": 0.3, "eval_inner_steps": 6}, STRIDED)
SHAPES = {"filters": (8, 1, 5, 5), "adapter": (8, 16), "readout": (3, 8), "weight": (3, 16), "bias": (3,)}


class Columns(nn.Module):
    """The same network, made of modules."""

    def __init__(self, learner: Learner, full: Support) -> None:
        super().__init__()
        self.frozen = learner.encoder
        self.own = nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False)
        self.adapter, self.readout = nn.Linear(16, 8, bias=False), nn.Linear(8, full.ways, bias=False)
        self.lateral = nn.Linear(16, full.ways)
        self.double()
        means = torch.stack([self.features(full.inputs)[full.targets == way].mean(0) for way in range(full.ways)])
        with torch.no_grad():
            self.own.weight.copy_(learner.filters)
            self.adapter.weight.copy_(learner.adapter)
            self.readout.weight.zero_()
            self.lateral.weight.copy_(2 * learner.scale * means)
            self.lateral.bias.copy_(-learner.scale * (means**2).sum(-1))

    def features(self, inputs: Tensor) -> Tensor:
        encoded = self.frozen(inputs)
        return encoded / encoded.norm(dim=-1, keepdim=True)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.features(inputs)
        hidden = torch.relu(torch.relu(self.own(inputs)).mean((2, 3)) + self.adapter(features))
        return self.readout(hidden) + self.lateral(features)


def test_the_column_of_a_client_equals_that_of_torch_sgd():
    learner, asked = fresh(SPEC, torch.float64), query(SPEC, 4, dtype=torch.float64)
    full = support(SPEC, [1, 3, 2], dtype=torch.float64)
    columns = Columns(learner, full)
    own = [value for name, value in columns.named_parameters() if not name.startswith("frozen")]
    optimiser = torch.optim.SGD(own, lr=0.3)
    for _ in range(6):
        optimiser.zero_grad()
        F.cross_entropy(columns(full.inputs), full.targets).backward()
        optimiser.step()
    assert_close(learner.answer(full, asked), columns(asked).detach(), rtol=0, atol=1e-9)


def test_without_descent_it_is_the_classifier_of_the_frozen_prototypes():
    learner = fresh(Spec("progressive", "conv4", {"inner_lr": 0.0}, STRIDED), torch.float64)
    full, asked = support(SPEC, [1, 3, 2], dtype=torch.float64), query(SPEC, 5, dtype=torch.float64)
    distances = torch.cdist(learner.frozen(asked), class_means(learner.frozen(full.inputs), full)).square()
    answers = learner.answer(full, asked).softmax(-1)
    assert_close(answers, (-10 * distances).softmax(-1), rtol=0, atol=1e-9)


def test_more_steps_lower_the_support_loss():
    full = support(SPEC, [3, 3, 3])
    learners = (
        fresh(Spec("progressive", "conv4", {"inner_lr": 1.0, "eval_inner_steps": steps}, STRIDED))
        for steps in (1, 10, 50)
    )
    losses = [F.cross_entropy(each.answer(full, full.inputs), full.targets).item() for each in learners]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_the_state_is_the_small_column_and_its_lateral_weights():
    learner = fresh(SPEC)
    state = learner.adapt(support(SPEC, [1, 2, 3]))
    assert {name: tuple(value.shape) for name, value in state.items()} == SHAPES
    assert all(value.any() for value in state.values())


def test_initial_columns_are_the_same_in_every_process_and_not_in_the_checkpoint():
    torch.manual_seed(1)
    one, other = build(SPEC), build(SPEC)
    assert_close((one.filters, one.adapter), (other.filters, other.adapter), rtol=0, atol=0)
    assert all(name.startswith("encoder.") for name in one.state_dict())


def test_in_training_the_column_stays_and_the_encoder_learns():
    torch.manual_seed(0)
    learner, full, asked = build(SPEC).train(), support(SPEC, [2, 2]), support(SPEC, [2, 2], 1)
    assert not learner.adapt(full)["readout"].any()
    loss = learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0)
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, list(learner.parameters())))
