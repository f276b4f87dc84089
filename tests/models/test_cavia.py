"""CAVIA: a shared network, and a context that starts at zero for every task."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Learner
from tests.models.learners import STRIDED, query, support
from tests.models.test_maml import episode_of, learner_of, matches_finite_differences

CLASSIFY = Spec("cavia", "mlp", {"outputs": 3, "context": 4}, {"inputs": 3 + 4, "widths": [6, 5]})
REGRESS = Spec("cavia", "mlp", {"outputs": 1, "kind": "regression", "context": 2}, {"inputs": 2 + 2, "widths": [6, 5]})
IMAGES = Spec("cavia", "conv4", {"outputs": 3, "context": 4}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def in_context(learner: Learner, inputs: Tensor, context: Tensor, ways: int) -> Tensor:
    """The answers of the shared network, layer by layer."""
    if inputs.ndim == 2:
        features = learner.encoder(torch.stack([torch.cat([one, context]) for one in inputs]))
    else:
        convolve, norm, *_ = learner.encoder.blocks[3]
        scale, shift = (learner.film.weight @ context).view(2, 1, -1, 1, 1)
        maps = F.group_norm(convolve(learner.encoder.maps(inputs)), 8)
        own_scale, own_shift = norm.weight.view(-1, 1, 1), norm.bias.view(-1, 1, 1)
        features = ((own_scale + scale) * maps + own_shift + shift).relu().mean((2, 3))
    rows = learner.head.weight
    if inputs.ndim > 2:
        rows = rows + (learner.rows.weight @ context).view_as(rows)
    return features @ rows[: ways or None].T + learner.head.bias[: ways or None]


@over_kinds
@pytest.mark.parametrize("steps", [1, 3])
def test_the_adapted_context_equals_descent_by_hand(spec, steps):
    learner, full = learner_of(spec, inner_steps=steps), episode_of(spec).support
    loss = F.cross_entropy if full.ways else F.mse_loss
    context = torch.zeros(learner.context, dtype=torch.float64)
    for _ in range(steps):
        context.requires_grad_()
        lost = loss(in_context(learner, full.inputs, context, full.ways), full.targets)
        context = (context - torch.autograd.grad(lost, context)[0]).detach()
    state, asked = learner.adapt(full), query(spec, 4, 1, torch.float64)
    assert context.any()
    assert_close(state["context"], context, **TIGHT)
    assert_close(learner.predict(state, asked), in_context(learner, asked, context, full.ways), **TIGHT)


@over_kinds
def test_the_meta_gradient_equals_finite_differences(spec):
    matches_finite_differences(learner_of(spec, inner_steps=2), episode_of(spec))


@pytest.mark.parametrize("training", [True, False])
def test_the_context_begins_at_zero_for_every_task(training):
    learner = learner_of(CLASSIFY, inner_steps=2).train(training)
    episode, other = episode_of(CLASSIFY), support(CLASSIFY, [3, 1, 1], 9, torch.float64)
    first = learner.adapt(episode.support)
    learner.outer_loss(episode, 0.0).backward()
    learner.adapt(other)
    assert_close(learner.adapt(episode.support), first, rtol=0, atol=0)
    assert not any("context" in name for name in learner.state_dict())


def test_without_context_the_network_is_the_encoder_and_its_head():
    learner, asked = learner_of(IMAGES), query(IMAGES, 4, 1, torch.float64)
    blank = {"context": torch.zeros(4, dtype=torch.float64), "bias": learner.head.bias}
    assert_close(learner.predict(blank, asked), learner.head(learner.encoder(asked)), **TIGHT)


@pytest.mark.parametrize("ways", [2, 3])
def test_the_state_is_the_context_and_the_shared_bias_of_the_classes_in_use(ways):
    learner = learner_of(IMAGES)
    state = learner.adapt(support(IMAGES, [2] * ways, 0, torch.float64))
    assert {name: tuple(value.shape) for name, value in state.items()} == {"context": (4,), "bias": (ways,)}
    assert_close(state["bias"], learner.head.bias[:ways], rtol=0, atol=0)
