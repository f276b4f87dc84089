"""The arm that reaches for a goal."""

import json
from functools import partial

import numpy as np
import pytest

from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.datasets.reacher import HORIZON, LENGTH, LINKS, best, goal_of, reaching, rewards_of
from models.recipes import RECIPES

GOALS = [goal_of(np.random.default_rng(seed)) for seed in range(5)]


@pytest.mark.parametrize("bend", [1.0, -1.0])
@pytest.mark.parametrize("goal", GOALS)
def test_the_angles_bring_the_fingertip_to_the_goal(goal, bend):
    shoulder, elbow = reaching(goal, bend)
    (upper, lower), ends = LINKS, shoulder + elbow
    tip = upper * np.cos(shoulder) + lower * np.cos(ends), upper * np.sin(shoulder) + lower * np.sin(ends)
    if np.linalg.norm(goal) > lower - upper:  # nearer than that the arm cannot reach
        assert tip == pytest.approx(goal)


def test_a_reward_is_minus_the_distance_and_a_tenth_of_the_squared_torques():
    after = np.zeros((1, 8))
    after[0, 6:] = np.array([0.1, 0.0]) / LENGTH
    assert rewards_of(after, np.array([[1.0, -1.0]]), np.array([0.1, 0.1])) == pytest.approx([-0.3])


def test_torques_stay_within_their_limits():
    states = np.random.default_rng(0).normal(size=(20, 8))
    assert np.abs(best(states, GOALS[0])).max() <= 1


class TestWithMuJoCo:
    """What needs the simulator."""

    @pytest.fixture(autouse=True)
    def rollouts(self):
        pytest.importorskip("mujoco", reason="needs pip install 'handful[mujoco]'")
        pytest.importorskip("gymnasium", reason="needs pip install 'handful[mujoco]'")
        from models.datasets import reacher  # noqa: PLC0415

        return reacher.rollouts

    def test_the_controller_that_knows_the_goal_beats_one_that_stays(self, rollouts):
        for goal in GOALS:
            known = rollouts(partial(best, goal=goal), goal, rng_of(0, 0), 1)
            stays = rollouts(lambda states: np.zeros((len(states), 2)), goal, rng_of(0, 0), 1)
            assert known.returns[0] > stays.returns[0]
            assert known.states.shape == (HORIZON, 8)

    def test_an_episode_has_steps_with_rewards_and_states_with_the_best_actions(self, monkeypatch):
        monkeypatch.setattr("models.datasets.reacher.TRAJECTORIES", 3)
        sampler = dataset_of("reacher").episodes(None, "reacher", {"type": "vector", "length": 9})
        support, query, targets = sampler.episode(rng_of(0, 0), Shape(0, 60, 7))
        assert support.inputs.shape == (60, 9)
        assert (support.inputs[:, 8] < 0).all()
        assert (query[:, 8] == 0).all()
        assert targets.shape == (7, 2)

    def test_as_an_environment_it_moves_like_the_arm(self, rollouts, monkeypatch):
        monkeypatch.setattr("models.datasets.reacher.TRAJECTORIES", 0)
        sampler = dataset_of("reacher").episodes(None, "reacher", {"type": "vector", "length": 9})
        goal, torques = GOALS[1], rng_of(0, 1).uniform(-2, 2, (5, 2))
        arms, given = sampler.starts([rng_of(0, 0)], 1), iter(torques)
        steps = rollouts(lambda states: next(given)[None], goal, rng_of(0, 0), 1, 5)
        for number, torque in enumerate(torques):
            assert arms[0, 0] == pytest.approx(steps.states[number], abs=1e-9)
            arms, actions, rewards, over = sampler.step(arms, torque[None, None], goal[None])
            assert actions[0, 0] == pytest.approx(steps.actions[number])
            assert rewards[0, 0] == pytest.approx(steps.rewards[number])
            assert not over.any()

    def test_a_trained_policy_is_measured_beside_a_controller_that_knows_the_goal(self, tmp_path, monkeypatch):
        from benchmarks import figures, navigation, reacher  # noqa: PLC0415

        (tmp_path / "page.md").write_text("")
        monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
        monkeypatch.setattr(figures, "RESULTS", tmp_path / "results.json")
        monkeypatch.setattr(navigation, "SCRATCH_LRS", (0.001,))
        spec = RECIPES["reach"].spec
        checkpoint.save(tmp_path / "reach-ppo.safetensors", spec, checkpoint.build(spec).state_dict())
        reacher.main(["--folder", str(tmp_path), "--goals", "2"])
        rows = json.loads((tmp_path / "results.json").read_text())["reacher"]["rows"]
        assert rows[-1][1]["mean"] > max(cell["mean"] for row in rows[:-1] for cell in row[1:])
