"""Training by reinforcement: the objective, its gradient through `adapt`, and what it learns."""

from collections import deque
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.checkpoint import Spec, build, load
from models.datasets.environment import Moved, Trajectories, walk
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.datasets.navigation import Navigation, move, rollouts
from models.datasets.sinusoid import Sinusoid
from models.recipes.recipe import Trials
from models.training import reinforced_run
from models.training.meta_training import VALIDATION_SEED, Run
from models.training.reinforced_run import ReinforcedRun, run_of
from models.training.reinforcement import batch_of, clipped_objective, density, gain, losses
from models.training.trials import cost, trial_of
from tests.models.trainings import Training

TRIALS = Trials(rounds=2, trajectories=2, steps=4, judged=(3, 5), noise=0.05)
POLICIES = {
    "policy-gradient": {"outputs": 2, "deviation": 0.1, "inner_lr": 0.001, "inner_steps": 2},
    "recurrent-policy": {"outputs": 2, "width": 8},
}
over_policies = pytest.mark.parametrize("name", POLICIES)


def learner_of(name: str, seed: int = 0):
    torch.manual_seed(seed)
    return build(Spec(name, "mlp", POLICIES[name], {"inputs": 2, "widths": [8]}))


def generators(count: int = 3):
    return [rng_of(0, i) for i in range(count)]


def tried(learner, rngs=None):
    """The rounds of a trial in the plane."""
    rngs = generators() if rngs is None else rngs
    return trial_of(learner, Navigation(), TRIALS, Navigation().goals(rngs), rngs)


class Bandit(EpisodeSampler):
    """One step, and two arms: which half of the actions is rewarded depends on the task."""

    noise, discount, horizon, actions = 0.5, 1.0, 1, 1

    def episode(self, rng, shape):
        raise NotImplementedError

    def goals(self, rngs):
        return np.array([[rng.choice([-1.0, 1.0])] for rng in rngs])

    def starts(self, rngs, count):
        return np.zeros((len(rngs), count, 1))

    def step(self, states, chosen, goals):
        won = np.sign(chosen[..., 0]) == goals
        return Moved(states, chosen, won.astype(float), np.ones_like(won))


class TestObjective:
    def test_equals_a_computation_by_hand(self):
        change = torch.tensor([0.0, 0.5, 0.5, -0.5, -0.5, 9.0]).requires_grad_()
        advantages, real = torch.tensor([2.0, 1.0, -1.0, 1.0, -1.0, 1.0]), torch.arange(6) < 5
        found = clipped_objective(change, advantages, real)
        gains = [2.0, 1.2, -np.exp(0.5), np.exp(-0.5), -0.8]
        assert found.item() == pytest.approx(np.mean(gains))
        found.backward()
        by_hand = [2.0, 0.0, -np.exp(0.5), np.exp(-0.5), 0.0, 0.0]  # 0 where the ratio is clipped, and for padding
        assert change.grad.tolist() == pytest.approx([each / 5 for each in by_hand])

    def test_the_density_is_that_of_a_normal_policy(self):
        misses = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
        normal = torch.distributions.Normal(0, 0.3)
        full = normal.log_prob(misses).sum(-1) - 2 * normal.log_prob(torch.tensor(0.0))
        assert_close(density(misses, 0.3), full)

    @over_policies
    def test_the_ratios_are_1_before_the_first_update(self, name):
        learner = learner_of(name)
        known, done = next(tried(learner))
        batch = batch_of(done, TRIALS.noise, 0.9)._replace(advantages=torch.ones(3, 15))
        assert gain(learner, known, batch, TRIALS.noise).item() == pytest.approx(1, abs=1e-4)

    @over_policies
    def test_the_meta_gradient_equals_a_finite_difference(self, name):
        learner = learner_of(name)
        known, done = list(tried(learner))[-1]
        batch = batch_of(done, TRIALS.noise, 0.9)
        exact = [known._replace(inputs=known.inputs.double(), targets=known.targets.double())]
        exact += [type(batch)(*(each.double() if each.is_floating_point() else each for each in batch))]
        learner = learner_of(name, seed=1).double()  # other weights than those that acted: the ratios are not 1
        for weight, acted in zip(learner.parameters(), learner_of(name).parameters(), strict=True):
            weight.data = acted.double() + 0.02 * weight.data
        weights = {key: value.detach() for key, value in learner.named_parameters()}
        along = {key: torch.randn_like(value) for key, value in weights.items()}

        def value(size: float) -> torch.Tensor:
            for key, parameter in learner.named_parameters():
                parameter.data = weights[key] + size * along[key]
            return gain(learner, *exact, TRIALS.noise)

        gradient = torch.autograd.grad(value(0.0), list(learner.parameters()))
        found = sum((g * along[key]).sum() for g, key in zip(gradient, weights, strict=True))
        assert found.item() == pytest.approx(((value(1e-6) - value(-1e-6)) / 2e-6).item(), rel=1e-5)
        assert found.item() != 0


class TestTrajectories:
    def test_are_those_of_the_environment_and_end_at_the_goal(self):
        goal = np.array([0.25, -0.1])
        noise = 0.1 * np.random.default_rng(3).normal(size=(1, 1, 30, 2))
        done = walk(Navigation(), lambda states: goal - states, goal[None], np.zeros((1, 1, 2)), 0 * noise)
        known = rollouts(lambda states: goal - states, goal, np.random.default_rng(0), 1, 30)
        steps = int(done.real.sum())
        assert steps == len(known.rewards) == 3
        assert done.actions[0, 0, :steps] == pytest.approx(known.actions)
        assert done.rewards[0, 0] == pytest.approx([*known.rewards, *[0] * (30 - steps)])

    def test_rewards_to_come_are_discounted(self):
        rewards = np.array([[[1.0, 2.0, 4.0]]])
        done = Trajectories(*[np.zeros(0)] * 3, rewards, np.ones_like(rewards, bool), np.zeros(0))
        assert done.to_come(0.5).tolist() == [[[3.0, 4.0, 4.0]]]

    def test_a_trial_posts_the_actions_that_were_taken_and_their_rewards(self):
        rounds, goals = list(tried(learner_of("recurrent-policy"))), Navigation().goals(generators())
        assert [known.inputs.shape for known, _ in rounds] == [(3, 8, 3), (3, 16, 3)]
        states, actions = rounds[1].known.inputs[..., :2].double().numpy(), rounds[1].known.targets.double().numpy()
        moved = move(states, actions, goals[:, None])
        assert moved.actions == pytest.approx(actions)
        assert rounds[1].known.inputs[..., 2].numpy() == pytest.approx(moved.rewards, abs=1e-6)

    @over_policies
    def test_the_cost_is_minus_the_return_of_the_policies_that_clients_get(self, name):
        learner, environment = learner_of(name).eval(), Navigation()
        found = cost(learner, environment, replace(TRIALS, rounds=1), count=1, seed=4)
        known, _ = next(tried(learner, [rng_of(4, 0)]))
        support = known._replace(inputs=known.inputs[0], targets=known.targets[0], mask=known.mask[0])

        @torch.no_grad()
        def act(states):
            queries = torch.tensor(np.hstack([states, np.zeros((len(states), 1))]), dtype=torch.float32)
            return learner.answer(support, queries).double().numpy()

        (goal,) = environment.goals([rng_of(4, 0)])
        assert found == pytest.approx(-rollouts(act, goal, rng_of(0, 0), 1).returns[0], rel=1e-4)


def recipe_of(name: str, steps: int = 4, tasks: int = 3):
    spec = Spec(name, "mlp", POLICIES[name], {"inputs": 2, "widths": [8]})
    recipe = Training(spec, steps=steps, tasks=tasks, lr=3e-3).recipe()
    return replace(recipe, trials=TRIALS, dataset="navigation", clip=1.0)


def finished(run: Run, steps: int | None = None, every: int = 2):
    trained = run.train(Navigation(), Navigation(), every=every)
    for _ in islice(trained, steps):
        pass
    trained.close()
    return {name: value.clone() for name, value in run.learner.state_dict().items()}


class TestRun:
    @pytest.fixture(autouse=True)
    def few_validation_tasks(self, monkeypatch):
        monkeypatch.setattr(reinforced_run, "VALIDATION_TASKS", 2)

    @over_policies
    def test_a_run_that_was_interrupted_ends_with_the_same_weights(self, name, tmp_path):
        whole = finished(run_of(recipe_of(name), tmp_path / "whole", "test"))
        finished(run_of(recipe_of(name), tmp_path / "parts", "test"), steps=3)
        resumed = run_of(recipe_of(name), tmp_path / "parts", "test")
        assert resumed.progress.step == 3
        assert_close(finished(resumed), whole, rtol=0, atol=0)

    @pytest.mark.parametrize("updates", [0, 1, 8])
    def test_an_interrupt_within_a_step_costs_only_this_step(self, updates, tmp_path, monkeypatch):
        recipe = recipe_of("recurrent-policy")
        whole = finished(run_of(recipe, tmp_path / "whole", "test"))
        run, calls = run_of(recipe, tmp_path / "parts", "test"), iter(range(6 + updates))

        def interrupted(*arguments):
            for loss in losses(*arguments):
                if next(calls, None) is None:
                    raise KeyboardInterrupt
                yield loss

        with monkeypatch.context() as patch:
            patch.setattr(reinforced_run, "losses", interrupted)
            with pytest.raises(KeyboardInterrupt):
                finished(run, every=100)
        resumed = run_of(recipe, tmp_path / "parts", "test")
        assert resumed.progress.step == (6 + updates) // 6
        assert_close(finished(resumed), whole, rtol=0, atol=0)

    def test_the_score_is_minus_the_return(self, tmp_path):
        run = run_of(recipe_of("recurrent-policy"), tmp_path, "test")
        finished(run)
        assert isinstance(run, ReinforcedRun)
        assert run.headline == "minus the return"
        assert [step for step, _ in run.progress.scores] == [2, 4]
        assert all(score > 0 for _, score in run.progress.scores)

    def test_the_averaged_weights_are_validated_and_saved(self, tmp_path):
        run = run_of(replace(recipe_of("recurrent-policy"), averaging=0.9), tmp_path, "test")
        finished(run, every=4)
        ((_, score),) = run.progress.scores
        saved, last = (
            cost(each, Navigation(), TRIALS, 2, VALIDATION_SEED) for each in (load(run.weights_path), run.learner)
        )
        assert score == pytest.approx(saved, rel=1e-5)
        assert score != pytest.approx(last, rel=1e-4)

    def test_a_dataset_that_is_no_environment_is_refused(self, tmp_path):
        run = run_of(recipe_of("recurrent-policy"), tmp_path, "test")
        with pytest.raises(ValueError, match="environment"):
            run.train(Sinusoid(), None, every=1)

    @over_policies
    def test_a_bandit_learns_which_arm_is_rewarded(self, name, tmp_path):
        inner = {"deviation": 0.5, "inner_lr": 0.01, "inner_steps": 1} if name == "policy-gradient" else {"width": 16}
        spec = Spec(name, "mlp", {"outputs": 1} | inner, {"inputs": 1, "widths": [16]})
        trials = Trials(rounds=1, trajectories=8, steps=1, judged=(16, 1), noise=0.3)
        recipe = replace(Training(spec, steps=40, tasks=16, lr=5e-3).recipe(), trials=trials)
        run = run_of(recipe, tmp_path, "test")
        before = -cost(run.learner, Bandit(), trials, 50, 1)
        deque(run.train(Bandit(), None, every=recipe.steps), maxlen=0)
        after = -cost(run.learner, Bandit(), trials, 50, 1)
        assert before < 0.7
        assert after > 0.9

    def test_a_few_steps_improve_the_return_for_goals_of_a_seed(self, tmp_path):
        inner = {"outputs": 2, "deviation": 0.1, "inner_lr": 0.001, "inner_steps": 3}
        spec = Spec("policy-gradient", "mlp", inner, {"inputs": 2, "widths": [32, 32]})
        imitation = Training(spec, steps=100, tasks=8, lr=3e-3, episode=Shape(0, 40, 20)).run(tmp_path / "start")
        deque(imitation.train(Navigation(), None, every=100), maxlen=0)
        trials = Trials(rounds=1, trajectories=4, steps=10, judged=(8, 20), noise=0.05)
        recipe = replace(Training(spec, steps=20, tasks=12, lr=5e-4).recipe(), trials=trials, clip=1.0)
        run = run_of(recipe, tmp_path, "test", starts=[imitation.weights_path])
        before = cost(run.learner, Navigation(), trials, 40, 1)
        deque(run.train(Navigation(), None, every=20), maxlen=0)
        after = cost(run.learner, Navigation(), trials, 40, 1)
        assert after < 0.9 * before
