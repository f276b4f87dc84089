"""Proto-MAML: its head is a prototypical network, and its steps are MAML's."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import State
from models.learners.protonet import ProtoNet
from tests.models.learners import STRIDED, query, support
from tests.models.test_maml import episode_of, learner_of, matches_finite_differences, meta_gradient

VECTORS = Spec("proto-maml", "mlp", {"inner_lr": 0.1}, {"inputs": 3, "widths": [6, 5]})
IMAGES = Spec("proto-maml", "conv4", {"inner_lr": 0.1}, STRIDED | {"width": 8})
over_encoders = pytest.mark.parametrize("spec", [VECTORS, IMAGES], ids=["vectors", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def by_hand(spec: Spec, steps: int) -> State:
    """Prototypes in a loop over the classes, descent with torch.autograd."""
    learner, full = learner_of(spec), episode_of(spec).support
    features = learner.encoder(full.inputs)
    means = torch.stack([features[full.targets == way].mean(0) for way in range(full.ways)])
    weights = [*learner.encoder.parameters(), 2 * means, -(means * means).sum(1)]
    names = [*(f"encoder.{name}" for name, _ in learner.encoder.named_parameters()), "head.weight", "head.bias"]
    for _ in range(steps):
        weights = [weight.detach().requires_grad_() for weight in weights]
        encoder = {name.removeprefix("encoder."): value for name, value in zip(names, weights[:-2], strict=False)}
        answers = torch.func.functional_call(learner.encoder, encoder, full.inputs) @ weights[-2].T + weights[-1]
        gradients = torch.autograd.grad(F.cross_entropy(answers, full.targets), weights)
        weights = [weight - learner.inner_lr * gradient for weight, gradient in zip(weights, gradients, strict=True)]
    return dict(zip(names, weights, strict=True))


@over_encoders
def test_without_a_step_it_is_a_prototypical_network_up_to_a_constant_of_each_query(spec):
    learner, episode = learner_of(spec, inner_steps=0), episode_of(spec)
    prototypical = ProtoNet(learner.encoder)
    ours = learner.answer(episode.support, episode.query)
    theirs = prototypical.answer(episode.support, episode.query)
    constant = learner.encoder(episode.query).square().sum(1, keepdim=True)
    assert_close(ours - constant, theirs, **TIGHT)


def test_after_no_step_a_state_still_owns_its_memory():
    learner = learner_of(VECTORS, inner_steps=0)
    state = learner.adapt(episode_of(VECTORS).support)
    with torch.no_grad():
        kept = state["encoder.layers.0.0.weight"].clone()
        learner.encoder.layers[0][0].weight += 1
    assert_close(state["encoder.layers.0.0.weight"], kept, rtol=0, atol=0)


@over_encoders
@pytest.mark.parametrize("steps", [1, 3])
def test_the_adapted_weights_equal_descent_by_hand(spec, steps):
    state = learner_of(spec, inner_steps=steps).adapt(episode_of(spec).support)
    assert_close(state, by_hand(spec, steps), **TIGHT)


@over_encoders
@pytest.mark.parametrize("steps", [0, 2])
def test_the_meta_gradient_goes_through_the_prototypes_and_equals_finite_differences(spec, steps):
    learner, episode = learner_of(spec, inner_steps=steps), episode_of(spec)
    matches_finite_differences(learner, episode)


def test_first_order_keeps_the_state_and_changes_the_meta_gradient():
    second, first, episode = learner_of(VECTORS), learner_of(VECTORS, first_order=True), episode_of(VECTORS)
    assert_close(first.adapt(episode.support), second.adapt(episode.support), **TIGHT)
    full, without = meta_gradient(second, episode), meta_gradient(first, episode)
    assert any((full[name] - without[name]).norm() > 0.01 * full[name].norm() for name in full)


@pytest.mark.parametrize("ways", [2, 7])
def test_any_number_of_classes(ways):
    learner = learner_of(IMAGES)
    assert learner.max_ways is None
    state = learner.adapt(support(IMAGES, [1] * ways, 0, torch.float64))
    assert learner.predict(state, query(IMAGES, 4, 1, torch.float64)).shape == (4, ways)
