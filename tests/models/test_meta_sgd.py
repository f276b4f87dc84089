"""Meta-SGD: a rate for every coordinate, learned and saved."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Learner
from tests.models.learners import STRIDED, network_of, support
from tests.models.test_maml import episode_of, learner_of, matches_finite_differences, meta_gradient

CLASSIFY = Spec("meta-sgd", "mlp", {"outputs": 3, "inner_lr": 0.5}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec(
    "meta-sgd", "mlp", {"outputs": 1, "kind": "regression", "inner_lr": 0.125}, {"inputs": 2, "widths": [6, 5]}
)
IMAGES = Spec("meta-sgd", "conv4", {"outputs": 3, "inner_lr": 0.5}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def with_drawn_rates(spec: Spec, **options: object) -> Learner:
    learner, generator = learner_of(spec, **options), torch.Generator().manual_seed(5)
    for rate in learner.rates.values():
        nn.init.uniform_(rate, -0.1, 0.3, generator=generator)
    return learner


@over_kinds
def test_with_one_rate_for_all_it_is_maml(spec):
    maml = Spec("maml", spec.encoder, spec.learner_options, spec.encoder_options)
    full = episode_of(spec).support
    assert_close(learner_of(spec, inner_steps=2).adapt(full), learner_of(maml, inner_steps=2).adapt(full), **TIGHT)


@over_kinds
def test_a_step_is_the_gradient_times_the_rates_coordinate_by_coordinate(spec):
    learner, full = with_drawn_rates(spec), episode_of(spec).support
    weights = {name: value for name, value in learner.named_parameters() if not name.startswith("rates.")}
    loss = F.cross_entropy if full.ways else F.mse_loss
    gradients = torch.autograd.grad(loss(network_of(learner)(full.inputs), full.targets), list(weights.values()))
    expected = {
        name: value - learner.rates[name.replace(".", "-")].reshape(value.shape) * gradient
        for (name, value), gradient in zip(weights.items(), gradients, strict=True)
    }
    assert_close(learner.adapt(full), expected, **TIGHT)


@over_kinds
def test_the_meta_gradient_of_weights_and_rates_equals_finite_differences(spec):
    matches_finite_differences(with_drawn_rates(spec, inner_steps=2), episode_of(spec))


@pytest.mark.parametrize("ways", [2, 3])
def test_only_the_rates_of_the_rows_in_use_are_learned(ways):
    learner, asked = with_drawn_rates(IMAGES), support(IMAGES, [1] * ways, 1, torch.float64)
    gradients = meta_gradient(
        learner, episode_of(IMAGES)._replace(support=asked, query=asked.inputs, targets=asked.targets)
    )
    assert gradients["rates.head-weight"].view(3, -1).any(1).tolist() == [row < ways for row in range(3)]
    assert gradients["rates.head-bias"].bool().tolist() == [row < ways for row in range(3)]


def test_learned_rates_are_saved_as_vectors_which_get_no_weight_decay():
    learner = learner_of(IMAGES)
    weights = {name for name, _ in learner.named_parameters() if not name.startswith("rates.")}
    rates = {name: value for name, value in learner.state_dict().items() if name.startswith("rates.")}
    assert rates.keys() == {f"rates.{name.replace('.', '-')}" for name in weights}
    assert {value.ndim for value in rates.values()} == {1}
