"""2-D navigation: the environment, its tasks, and the policy gradient."""

from statistics import fmean

import numpy as np
import pytest
import torch

from models.checkpoint import Spec, build
from models.datasets.episode import Shape, rng_of
from models.datasets.navigation import HORIZON, LONGEST, Navigation, best, inputs_of, rollouts
from models.learner import Support, full_mask
from models.learners.policy_gradient import advantages_of
from models.training.evaluation import score_episode
from tests.models.trainings import Training, trained

GOAL = np.array([0.3, -0.2])


def test_the_best_actions_reach_the_goal_by_the_shortest_way():
    steps = rollouts(lambda states: best(states, GOAL), GOAL, np.random.default_rng(0), 1)
    assert len(steps.rewards) == 3
    assert steps.states[-1] + steps.actions[-1] == pytest.approx(GOAL)
    assert steps.rewards[-1] == pytest.approx(0, abs=1e-9)


def test_a_policy_that_stays_has_the_return_of_its_distance():
    steps = rollouts(np.zeros_like, GOAL, np.random.default_rng(0), 2)
    assert steps.returns == pytest.approx([-HORIZON * np.linalg.norm(GOAL)] * 2)


def test_no_action_is_larger_than_a_step():
    steps = rollouts(lambda states: states + 5, GOAL, np.random.default_rng(0), 3, 7)
    assert np.abs(steps.actions).max() == LONGEST


def test_the_reward_of_a_step_is_minus_the_distance_after_it():
    steps = rollouts(np.zeros_like, GOAL, np.random.default_rng(0), 4, 6, noise=0.1)
    assert steps.rewards == pytest.approx(-np.linalg.norm(steps.states + steps.actions - GOAL, axis=1))
    assert inputs_of(steps).shape == (len(steps.rewards), 3)


def test_an_episode_never_shows_the_goal_but_its_rewards():
    support, query, targets = Navigation().episode(rng_of(0, 0), Shape(0, 40, 9))
    assert support.inputs.shape == (40, 3)
    assert support.targets.shape == (40, 2)
    assert (query[:, 2] == 0).all()
    assert targets.abs().max() <= LONGEST + 1e-6


def test_advantages_are_higher_for_better_actions_whatever_the_state():
    states = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    luck = torch.randn(200, generator=torch.Generator().manual_seed(1))
    worth = 3 * states[:, 0] - states[:, 1].square() + 0.1 * luck
    inputs = torch.cat([states, worth.unsqueeze(1)], -1)
    found = advantages_of(Support(inputs, states, full_mask(states), 0))
    assert found.std() == pytest.approx(1, abs=0.02)
    assert torch.corrcoef(torch.stack([found, luck]))[0, 1] > 0.9


def test_the_policy_gradient_moves_towards_actions_that_were_worth_more():
    torch.manual_seed(0)
    options = {"outputs": 2, "deviation": 0.1, "inner_lr": 0.001, "inner_steps": 20}
    learner = build(Spec("policy-gradient", "mlp", options, {"inputs": 2, "widths": [32]})).eval().requires_grad_(False)
    walked = rollouts(np.zeros_like, GOAL, np.random.default_rng(0), 10, 5, noise=0.1)
    inputs, actions = (torch.tensor(each, dtype=torch.float32) for each in (inputs_of(walked), walked.actions))
    at_origin = torch.zeros(1, 3)
    learned = learner.predict(learner.adapt(Support(inputs, actions, full_mask(actions), 0)), at_origin)
    before = learner.predict(learner.initial(Support(inputs, actions, full_mask(actions), 0)), at_origin)
    assert ((learned - before)[0] * torch.tensor(GOAL)).sum() > 0


POLICIES = {
    "policy-gradient": {"outputs": 2, "deviation": 0.1, "inner_lr": 0.001, "inner_steps": 3},
    "recurrent-policy": {"outputs": 2, "width": 32},
}


@pytest.mark.parametrize(("name", "steps"), [("policy-gradient", 150), ("recurrent-policy", 150)])
def test_a_meta_trained_policy_is_nearer_to_the_best_actions_than_to_stay(name, steps, tmp_path):
    spec = Spec(name, "mlp", POLICIES[name], {"inputs": 2, "widths": [32, 32]})
    shape = Shape(0, 40, 20)
    learner = trained(Training(spec, steps=steps, tasks=8, lr=3e-3, episode=shape), Navigation(), tmp_path)
    episodes = [Navigation().episode(rng_of(7, i), shape) for i in range(50)]
    after = fmean(score_episode(learner, episode)["mse"] for episode in episodes)
    assert after < 0.7 * fmean(episode.targets.square().mean().item() for episode in episodes)
