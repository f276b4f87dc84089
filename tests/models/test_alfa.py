"""ALFA: step sizes and decays that are generated for the task."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Learner
from tests.models.learners import STRIDED, network_of, support
from tests.models.test_maml import episode_of, learner_of, matches_finite_differences, meta_gradient

CLASSIFY = Spec("alfa", "mlp", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 2}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec(
    "alfa",
    "mlp",
    {"outputs": 1, "kind": "regression", "inner_lr": 0.125, "inner_steps": 2},
    {"inputs": 2, "widths": [6, 5]},
)
IMAGES = Spec("alfa", "conv4", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 2}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}
OWN = ("generator.", "step_sizes", "decays")


def with_drawn_generator(spec: Spec) -> Learner:
    learner, generator = learner_of(spec), torch.Generator().manual_seed(5)
    for parameter in learner.generator.parameters():
        nn.init.normal_(parameter, std=0.1, generator=generator)
    nn.init.uniform_(learner.step_sizes, 0.05, 0.2, generator=generator)
    nn.init.uniform_(learner.decays, 0.9, 1.0, generator=generator)
    return learner


@over_kinds
def test_before_training_it_equals_maml_without_decay(spec):
    maml, full = Spec("maml", spec.encoder, spec.learner_options, spec.encoder_options), episode_of(spec).support
    assert_close(learner_of(spec).adapt(full), learner_of(maml).adapt(full), **TIGHT)


@over_kinds
def test_every_step_decays_and_descends_as_the_generator_says(spec):
    learner, full = with_drawn_generator(spec), episode_of(spec).support
    loss = nn.functional.cross_entropy if full.ways else nn.functional.mse_loss
    weights = {name: value for name, value in learner.named_parameters() if not name.startswith(OWN)}
    first, _, second = learner.generator
    count = len(weights)
    for step in range(2):
        answers = torch.func.functional_call(network_of(learner), weights, full.inputs)
        gradients = torch.autograd.grad(loss(answers, full.targets), list(weights.values()))
        means = torch.tensor([one.mean().item() for one in [*weights.values(), *gradients]], dtype=torch.float64)
        made = second.weight @ (first.weight @ means + first.bias).clamp(min=0) + second.bias
        for layer, (name, gradient) in enumerate(zip(list(weights), gradients, strict=True)):
            alpha = learner.step_sizes[step * count + layer] * (1 + made[layer])
            beta = learner.decays[step * count + layer] * (1 + made[count + layer])
            weights[name] = (beta * weights[name] - alpha * gradient).detach().requires_grad_()
    assert_close(learner.adapt(full), weights, **TIGHT)


@over_kinds
def test_the_meta_gradient_equals_finite_differences(spec):
    matches_finite_differences(with_drawn_generator(spec), episode_of(spec))


@pytest.mark.parametrize("spec", [CLASSIFY, REGRESS], ids=["vectors", "regression"])
def test_the_generator_learns_from_the_first_outer_step(spec):
    gradients = meta_gradient(learner_of(spec), episode_of(spec))
    assert gradients["generator.2.bias"].all()
    assert gradients["step_sizes"].all()
    assert gradients["decays"].all()


def test_two_tasks_are_adapted_with_different_step_sizes():
    learner = with_drawn_generator(IMAGES)
    one, other = (support(IMAGES, [1, 1, 1], seed, torch.float64) for seed in (0, 1))
    loss, start = learner.support_loss, learner.initial(one)
    made = [learner.hyperparameters(0, start, torch.func.grad(loss(task))(start)) for task in (one, other)]
    assert not torch.allclose(made[0][0], made[1][0])
    assert not torch.allclose(made[0][1], made[1][1])


def test_step_sizes_and_decays_are_vectors_which_get_no_weight_decay():
    learner = learner_of(CLASSIFY)
    assert learner.state_dict()["step_sizes"].shape == (2 * 6,)
    assert learner.state_dict()["decays"].shape == (2 * 6,)
