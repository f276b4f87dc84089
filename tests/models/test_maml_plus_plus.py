"""MAML++: a rate for every layer and step, and an outer loss of all steps that ends as the last one's."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Learner
from tests.models.learners import STRIDED, network_of
from tests.models.test_maml import descend, episode_of, learner_of, matches_finite_differences, meta_gradient

CLASSIFY = Spec("maml++", "mlp", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 3}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec(
    "maml++",
    "mlp",
    {"outputs": 1, "kind": "regression", "inner_lr": 0.125, "inner_steps": 3},
    {"inputs": 2, "widths": [6, 5]},
)
IMAGES = Spec("maml++", "conv4", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 3}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def with_drawn_rates(spec: Spec, **options: object) -> Learner:
    learner, generator = learner_of(spec, **options), torch.Generator().manual_seed(5)
    for rate in learner.rates.values():
        nn.init.uniform_(rate, 0.0, 0.3, generator=generator)
    return learner


def loss_of(ways: int):
    return nn.functional.cross_entropy if ways else nn.functional.mse_loss


@over_kinds
def test_before_training_a_step_equals_that_of_maml(spec):
    maml, full = Spec("maml", spec.encoder, spec.learner_options, spec.encoder_options), episode_of(spec).support
    assert_close(learner_of(spec).adapt(full), learner_of(maml).adapt(full), **TIGHT)


@over_kinds
def test_each_step_has_its_rate_for_each_layer(spec):
    learner, full = with_drawn_rates(spec), episode_of(spec).support
    weights = {name: value for name, value in learner.named_parameters() if not name.startswith("rates.")}
    for step in range(3):
        answers = torch.func.functional_call(network_of(learner), weights, full.inputs)
        gradients = torch.autograd.grad(loss_of(full.ways)(answers, full.targets), list(weights.values()))
        rates = [learner.rates[name.replace(".", "-")][step] for name in weights]
        weights = {
            name: (value - rate * gradient).detach().requires_grad_()
            for (name, value), rate, gradient in zip(weights.items(), rates, gradients, strict=True)
        }
    assert_close(learner.adapt(full), weights, **TIGHT)


@pytest.mark.parametrize("done", [0.0, 0.03, 0.05, 0.099, 0.1, 0.5, 1.0])
def test_the_weights_of_the_steps_sum_to_one(done):
    weights = learner_of(CLASSIFY).step_weights(done)
    assert len(weights) == 3
    assert sum(weights) == pytest.approx(1.0, abs=1e-12)
    assert min(weights) >= 0


@pytest.mark.parametrize(("done", "expected"), [
    (0.0, [1 / 3, 1 / 3, 1 / 3]),
    (0.1, [1 / 6, 1 / 6, 2 / 3]),
    (0.2, [0, 0, 1]),
    (0.9, [0, 0, 1]),
])  # fmt: skip
def test_the_weights_go_linearly_from_equal_to_the_last_step_alone(done, expected):
    assert learner_of(CLASSIFY, annealing=0.2).step_weights(done) == pytest.approx(expected, abs=1e-12)


@over_kinds
def test_the_outer_loss_weighs_the_query_loss_after_every_step(spec):
    learner, (full, asked, targets) = learner_of(spec, annealing=0.5), episode_of(spec)
    maml = learner_of(Spec("maml", spec.encoder, spec.learner_options, spec.encoder_options))
    loss, losses = loss_of(full.ways), []
    for steps in (1, 2, 3):
        network = descend(maml, lambda one: loss(one(full.inputs), full.targets), learner.inner_lr, steps)
        losses.append(loss(network(asked), targets).item())
    expected = sum(losses) / 6 + losses[-1] / 2
    assert learner.outer_loss(episode_of(spec), 0.25).item() == pytest.approx(expected, rel=1e-9)


def test_when_the_annealing_is_over_the_outer_loss_is_that_of_maml():
    learner, episode = with_drawn_rates(CLASSIFY), episode_of(CLASSIFY)
    answers = learner.answer(episode.support, episode.query)
    assert_close(learner.outer_loss(episode, 0.1), nn.functional.cross_entropy(answers, episode.targets), **TIGHT)


@over_kinds
def test_the_meta_gradient_of_weights_and_rates_equals_finite_differences(spec):
    learner = with_drawn_rates(spec)
    learner.step_weights = lambda done: [0.0, 0.0, 1.0]  # what the finite differences are of
    matches_finite_differences(learner, episode_of(spec))


def test_rates_are_learned_for_every_step_and_saved_as_vectors():
    learner = learner_of(CLASSIFY)
    rates = {name: value for name, value in learner.state_dict().items() if name.startswith("rates.")}
    gradients = meta_gradient(learner, episode_of(CLASSIFY))
    assert len(rates) == 6
    for name, value in rates.items():
        assert value.shape == (3,)
        assert gradients[name].all()
