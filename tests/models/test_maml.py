"""MAML: its second order against finite differences, its inner loop against `higher` and the authors' conventions."""

import copy
from dataclasses import replace

import higher
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, Learner, State, Support
from tests.models.learners import IMAGE, STRIDED, fresh, network_of, query, support

CLASSIFY = Spec("maml", "mlp", {"outputs": 3, "inner_lr": 0.5}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec("maml", "mlp", {"outputs": 1, "kind": "regression", "inner_lr": 0.1}, {"inputs": 2, "widths": [6, 5]})
IMAGES = Spec("maml", "conv4", {"outputs": 3, "inner_lr": 0.5}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])


def learner_of(spec: Spec, **options: object) -> Learner:
    torch.manual_seed(0)
    return build(replace(spec, learner_options=spec.learner_options | options)).double()


def episode_of(spec: Spec) -> Episode:
    asked = support(spec, [2, 2, 2], 1, torch.float64)
    return Episode(support(spec, [1, 2, 3], 0, torch.float64), asked.inputs, asked.targets)


def meta_gradient(learner: Learner, episode: Episode) -> State:
    gradients = torch.autograd.grad(learner.outer_loss(episode, 0.0), list(learner.parameters()))
    return dict(zip(dict(learner.named_parameters()), gradients, strict=True))


def finite_difference(learner: Learner, episode: Episode, parameter: Tensor, at: int, width: float = 1e-6) -> float:
    flat, losses = parameter.data.view(-1), []
    original = flat[at].item()
    for value in (original + width, original - width):
        flat[at] = value
        losses.append(outer_loss_in_float64(learner, episode))
    flat[at] = original
    return (losses[0] - losses[1]) / (2 * width)


def outer_loss_in_float64(learner: Learner, episode: Episode) -> float:
    """Written out: `outer_loss` rounds to float32, too coarse for a finite difference."""
    answers = learner.answer(episode.support, episode.query)
    return learner.loss(answers, episode.targets, torch.ones(len(answers), dtype=torch.bool)).item()


def matches_finite_differences(learner: Learner, episode: Episode) -> None:
    """Assert it of four coordinates of every parameter."""
    gradients, generator = meta_gradient(learner, episode), torch.Generator().manual_seed(0)
    for name, parameter in learner.named_parameters():
        for at in torch.randperm(parameter.numel(), generator=generator)[:4].tolist():
            expected = finite_difference(learner, episode, parameter, at)
            assert gradients[name].view(-1)[at].item() == pytest.approx(expected, rel=1e-4, abs=1e-7), name


@over_kinds
@pytest.mark.parametrize("steps", [1, 2])
def test_the_meta_gradient_equals_finite_differences(spec, steps):
    matches_finite_differences(learner_of(spec, inner_steps=steps), episode_of(spec))


@over_kinds
def test_the_first_order_gradient_is_the_query_gradient_at_the_adapted_weights(spec):
    learner, episode = learner_of(spec, inner_steps=2, first_order=True), episode_of(spec)
    adapted = {name: value.detach().requires_grad_() for name, value in learner.adapt(episode.support).items()}
    answers = learner.predict(adapted, episode.query)
    loss = learner.loss(answers, episode.targets, torch.ones(len(answers), dtype=torch.bool))
    expected = dict(zip(adapted, torch.autograd.grad(loss, list(adapted.values())), strict=True))
    assert_close(meta_gradient(learner, episode), expected, rtol=1e-5, atol=1e-8)


@over_kinds
def test_first_order_drops_the_second_derivatives(spec):
    episode = episode_of(spec)
    full = meta_gradient(learner_of(spec), episode)
    without = meta_gradient(learner_of(spec, first_order=True), episode)
    assert any((full[name] - without[name]).norm() > 0.05 * full[name].norm() for name in full)


@pytest.mark.parametrize("algorithm", ["maml", "meta-sgd", "maml++", "anil"])
def test_the_outer_scale_sharpens_the_outer_loss_and_not_the_answers(algorithm):
    spec = replace(CLASSIFY, learner=algorithm)
    plain, sharp = learner_of(spec), learner_of(spec, outer_scale=7.0)
    episode = episode_of(spec)
    answers = plain.answer(episode.support, episode.query)
    assert_close(sharp.answer(episode.support, episode.query), answers)
    assert_close(sharp.outer_loss(episode, 1.0), F.cross_entropy(7 * answers, episode.targets))


def test_a_regression_has_no_outer_scale():
    with pytest.raises(ValueError, match="outer_scale"):
        learner_of(REGRESS, outer_scale=7.0)


@over_kinds
@pytest.mark.parametrize("steps", [1, 3])
def test_adapted_weights_and_meta_gradient_equal_those_of_higher(spec, steps):
    learner, episode = learner_of(spec, inner_steps=steps), episode_of(spec)
    network = network_of(learner)
    descent = torch.optim.SGD(network.parameters(), lr=learner.inner_lr)
    loss = F.mse_loss if episode.support.ways == 0 else F.cross_entropy
    with higher.innerloop_ctx(network, descent, copy_initial_weights=False) as (inner, inner_descent):
        for _ in range(steps):
            inner_descent.step(loss(inner(episode.support.inputs), episode.support.targets))
        loss(inner(episode.query), episode.targets).backward()
    assert_close(learner.adapt(episode.support), dict(inner.named_parameters()), rtol=1e-9, atol=1e-12)
    expected = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert_close(meta_gradient(learner, episode), expected, rtol=1e-5, atol=1e-7)


def descend(learner: Learner, loss, lr: float, steps: int) -> nn.Module:
    """A copy of the network after plain gradient descent on `loss(network)`, written without models/."""
    network = copy.deepcopy(network_of(learner))
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(network), list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.data -= lr * gradient
    return network


@pytest.mark.parametrize(("ways", "authors_rate"), [(5, 0.4), (20, 0.1)])
def test_an_inner_lr_of_two_equals_the_rate_of_the_authors_on_their_loss(ways, authors_rate):
    shots, spec = 2, Spec("maml", "conv4", {"outputs": ways, "inner_lr": 2.0}, STRIDED)
    learner, full = learner_of(spec), support(spec, [2] * ways, 0, torch.float64)

    def authors_loss(network: nn.Module) -> Tensor:
        return F.cross_entropy(network(full.inputs), full.targets, reduction="sum") / shots

    expected = descend(learner, authors_loss, authors_rate, steps=1)
    assert_close(learner.adapt(full), dict(expected.named_parameters()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ways", [2, 3, 5])
def test_fewer_classes_than_outputs_equals_masking_the_others_with_minus_infinity(ways):
    spec = Spec("maml", "conv4", {"outputs": 5, "inner_lr": 0.5, "inner_steps": 3}, STRIDED)
    learner, full = learner_of(spec), support(spec, [2] * ways, 0, torch.float64)
    asked, unused = query(spec, 4, 1, torch.float64), torch.arange(5) >= ways

    def masked_loss(network: nn.Module) -> Tensor:
        return F.cross_entropy(network(full.inputs).masked_fill(unused, -torch.inf), full.targets)

    expected = descend(learner, masked_loss, lr=0.5, steps=3)(asked).masked_fill(unused, -torch.inf)
    answers = learner.answer(full, asked)
    assert answers.shape == (4, ways)
    assert_close(answers.softmax(-1), expected.softmax(-1)[:, :ways], rtol=1e-9, atol=1e-12)


def test_train_mode_takes_inner_steps_and_eval_mode_eval_inner_steps():
    full = support(CLASSIFY, [1, 2, 3], 0, torch.float64)
    learner = learner_of(CLASSIFY, inner_steps=2, eval_inner_steps=7)
    assert_close(learner.train().adapt(full), learner_of(CLASSIFY, inner_steps=2).adapt(full), rtol=0, atol=0)
    assert_close(learner.eval().adapt(full), learner_of(CLASSIFY, inner_steps=7).adapt(full), rtol=0, atol=0)


def test_eval_mode_takes_as_many_steps_as_training_by_default():
    learner = learner_of(CLASSIFY, inner_steps=4)
    assert learner.eval_inner_steps == 4


def test_the_state_of_a_classifier_holds_only_the_rows_of_the_head_in_use():
    state = fresh(IMAGES).adapt(support(IMAGES, [1, 1]))
    assert state["head.weight"].shape == (2, 8)
    assert state["head.bias"].shape == (2,)


def test_a_masked_example_has_no_part_in_the_inner_loss():
    learner, full = fresh(IMAGES), support(IMAGES, [2, 2])
    kept = torch.tensor([True, False, True, True])
    alone = Support(full.inputs[kept], full.targets[kept], full.mask[kept], full.ways)
    assert_close(learner.adapt(full._replace(mask=kept)), learner.adapt(alone), rtol=1e-4, atol=1e-6)
    assert full.inputs.shape[1:] == IMAGE


def test_the_first_step_from_a_head_of_zeros_points_each_row_at_its_class():
    learner, full = learner_of(replace(CLASSIFY, learner_options={"inner_lr": 1.0})), episode_of(CLASSIFY).support
    state, features = learner.adapt(full), learner.encoder(full.inputs)
    chances = torch.full((len(full.targets), 3), 1 / 3, dtype=torch.float64)
    pull = (F.one_hot(full.targets, 3) - chances) / len(full.targets)
    assert_close(state["head.weight"], pull.T @ features, rtol=1e-9, atol=1e-12)
    assert_close(state["head.bias"], pull.sum(0), rtol=1e-9, atol=1e-12)
    own = dict(learner.encoder.named_parameters())
    assert_close({name: state[f"encoder.{name}"] for name in own}, own, rtol=0, atol=0)


def test_a_regression_learner_without_outputs_is_refused():
    with pytest.raises(ValueError, match="outputs"):
        learner_of(replace(REGRESS, learner_options={"kind": "regression"}))
