"""Reptile: its outer gradient is the initial minus the adapted weights."""

import pytest
import torch
from torch.testing import assert_close

from models.checkpoint import Spec
from models.datasets.episode import stack
from models.learner import Episode, Learner, State
from models.training.distributed import mean_loss
from tests.models.learners import STRIDED, support
from tests.models.test_maml import descend, episode_of, learner_of, meta_gradient

CLASSIFY = Spec("reptile", "mlp", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 4}, {"inputs": 3, "widths": [6, 5]})
REGRESS = Spec(
    "reptile",
    "mlp",
    {"outputs": 1, "kind": "regression", "inner_lr": 0.1, "inner_steps": 4},
    {"inputs": 2, "widths": [6, 5]},
)
IMAGES = Spec("reptile", "conv4", {"outputs": 3, "inner_lr": 0.5, "inner_steps": 4}, STRIDED | {"width": 8})
over_kinds = pytest.mark.parametrize("spec", [CLASSIFY, REGRESS, IMAGES], ids=["vectors", "regression", "images"])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


def learned(learner: Learner, episode: Episode) -> Learner:
    """The network after plain gradient descent on the support and the queries together."""
    inputs, targets = (torch.cat(pair) for pair in zip(episode.support[:2], episode[1:], strict=True))
    loss = torch.nn.functional.cross_entropy if episode.support.ways else torch.nn.functional.mse_loss
    return descend(learner, lambda network: loss(network(inputs), targets), learner.inner_lr, learner.inner_steps)


def way_back(learner: Learner, episode: Episode) -> State:
    end = dict(learned(learner, episode).named_parameters())
    return {name: (value - end[name]).detach() for name, value in learner.named_parameters()}


@over_kinds
def test_the_outer_gradient_is_the_initial_minus_the_adapted_weights(spec):
    learner, episode = learner_of(spec), episode_of(spec)
    assert_close(meta_gradient(learner, episode), way_back(learner, episode), **TIGHT)


@over_kinds
def test_the_outer_loss_is_that_of_the_learned_weights_on_the_queries(spec):
    learner, episode = learner_of(spec), episode_of(spec)
    answers = learned(learner, episode)(episode.query)
    expected = learner.loss(answers, episode.targets, torch.ones(len(answers), dtype=torch.bool))
    assert_close(learner.outer_loss(episode, 0.0), expected, **TIGHT)


def test_plain_descent_with_lr_epsilon_equals_the_published_outer_step():
    learner, episode = learner_of(CLASSIFY), episode_of(CLASSIFY)
    start = {name: value.detach().clone() for name, value in learner.named_parameters()}
    end, outer = dict(learned(learner, episode).named_parameters()), torch.optim.SGD(learner.parameters(), lr=0.25)
    learner.outer_loss(episode, 0.0).backward()
    outer.step()
    expected = {name: value + 0.25 * (end[name] - value) for name, value in start.items()}
    assert_close(dict(learner.named_parameters()), expected, **TIGHT)


def test_the_gradient_of_several_tasks_is_the_mean_of_theirs():
    learner, waves = learner_of(REGRESS), [support(REGRESS, [3], seed, torch.float64) for seed in range(3)]
    episodes = [Episode(wave, 2 * wave.inputs, -wave.targets) for wave in waves]
    mean_loss(learner, stack(episodes), 0.0).backward()
    each = [way_back(learner, episode) for episode in episodes]
    expected = {name: torch.stack([one[name] for one in each]).mean(0) for name in each[0]}
    assert_close({name: value.grad for name, value in learner.named_parameters()}, expected, **TIGHT)


def test_the_rows_of_the_head_that_are_not_in_use_stay_where_they_are():
    learner, two = learner_of(IMAGES), support(IMAGES, [2, 2], 0, torch.float64)
    gradients = meta_gradient(learner, Episode(two, two.inputs, two.targets))
    for name in ("head.weight", "head.bias"):
        assert gradients[name][:2].all()
        assert not gradients[name][2].any()
