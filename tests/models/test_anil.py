"""ANIL against gradient descent on the head, written by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, Learner, State, Support
from tests.models.learners import STRIDED, query, support

CLASSIFY = Spec("anil", "conv4", {"outputs": 4, "inner_lr": 0.5, "inner_steps": 3}, STRIDED)
REGRESS = Spec(
    "anil", "mlp", {"outputs": 1, "kind": "regression", "inner_lr": 0.1, "inner_steps": 3}, {"inputs": 1, "widths": [8]}
)
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS], ids=["classification", "regression"])


def learner_of(spec: Spec, **options: object) -> Learner:
    torch.manual_seed(0)
    return build(replace(spec, learner_options=spec.learner_options | options)).double()


def by_hand(learner: Learner, full: Support, steps: int) -> State:
    """The gradient of the mean loss with respect to the answers is known in closed form for both kinds."""
    features, n = learner.encoder(full.inputs), len(full.targets)
    weight, bias = learner.head.weight[: full.ways or None], learner.head.bias[: full.ways or None]
    for _ in range(steps):
        answers = features @ weight.T + bias
        error = answers.softmax(-1) - torch.eye(full.ways)[full.targets] if full.ways else 2 * (answers - full.targets)
        weight, bias = weight - learner.inner_lr * error.T @ features / n, bias - learner.inner_lr * error.mean(0)
    return {"weight": weight, "bias": bias}


@over_kinds
@pytest.mark.parametrize("steps", [1, 3])
def test_the_adapted_head_equals_descent_by_hand(spec, steps):
    learner, full = learner_of(spec, inner_steps=steps), support(spec, [1, 2, 3], 0, torch.float64)
    assert_close(learner.adapt(learner.encode_support(full)), by_hand(learner, full, steps), rtol=1e-9, atol=1e-12)


@over_kinds
def test_the_state_is_the_head_alone(spec):
    learner = learner_of(spec)
    state = learner.adapt(learner.encode_support(support(spec, [1, 2, 3], 0, torch.float64)))
    outputs = 1 if spec is REGRESS else 3
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "weight": (outputs, learner.encoder.feature_dim),
        "bias": (outputs,),
    }


@over_kinds
def test_predictions_are_the_clients_head_on_shared_features(spec):
    learner, asked = learner_of(spec), query(spec, 5, 1, torch.float64)
    state = learner.adapt(learner.encode_support(support(spec, [1, 2, 3], 0, torch.float64)))
    assert_close(
        learner.predict(state, learner.encode(asked)), learner.encoder(asked) @ state["weight"].T + state["bias"]
    )


@over_kinds
def test_the_meta_gradient_goes_through_the_inner_loop_into_every_weight(spec):
    learner, asked = learner_of(spec), support(spec, [2, 2, 2], 1, torch.float64)
    full = support(spec, [1, 2, 3], 0, torch.float64)
    through_descent = meta_gradient(learner, outer_loss(learner, by_hand(learner, full, 3), asked))
    through_learner = meta_gradient(learner, learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0))
    assert_close(through_learner, through_descent, rtol=1e-5, atol=1e-7)
    assert all(gradient.abs().sum() > 0 for gradient in through_learner)


@over_kinds
def test_first_order_gives_another_meta_gradient_and_the_same_state(spec):
    full, asked = support(spec, [1, 2, 3], 0, torch.float64), support(spec, [2, 2, 2], 1, torch.float64)
    second, first = learner_of(spec), learner_of(spec, first_order=True)
    assert_close(first.adapt(first.encode_support(full)), second.adapt(second.encode_support(full)))
    episode = Episode(full, asked.inputs, asked.targets)
    full_gradient, without = (meta_gradient(one, one.outer_loss(episode, 0.0)) for one in (second, first))
    assert not torch.allclose(full_gradient[0], without[0], rtol=0.01)


def outer_loss(learner: Learner, state: State, asked: Support) -> Tensor:
    answers = learner.encoder(asked.inputs) @ state["weight"].T + state["bias"]
    if asked.ways == 0:
        return (answers - asked.targets).square().mean()
    return -answers.log_softmax(-1)[torch.arange(len(answers)), asked.targets].mean()


def meta_gradient(learner: Learner, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(learner.parameters())))
