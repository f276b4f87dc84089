"""A client's own trajectories of an arm over HTTP."""

import shutil

import numpy as np
import pytest

from models.datasets.navigation import Floats, inputs_of, queries_of
from models.datasets.reacher import EXPLORATION, rollouts
from service.settings import ZOO, Settings
from tests.service.serving import working

GOALS = ((0.1, 0.1), (-0.12, 0.05))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    for path in ZOO.glob("reach*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    for package in ("mujoco", "gymnasium"):
        pytest.importorskip(package, reason="needs pip install 'handful[mujoco]'")
    return Settings(models=zoo, redis_url=redis_url, default_model="reach")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def stay(states: Floats) -> Floats:
    """No torque."""
    return np.zeros((len(states), 2))


def test_the_arm_comes_nearer_to_a_goal_that_its_rewards_told(api):
    def act(states: Floats) -> Floats:
        answer = api.post("/predict", json={"client_id": "arm", "inputs": queries_of(states).tolist()})
        return np.array([one["value"] for one in answer.raise_for_status().json()["predictions"]])

    before, after = [], []
    for goal in map(np.array, GOALS):
        rng = np.random.default_rng(0)
        walked = rollouts(stay, goal, rng, 2, noise=EXPLORATION)
        pairs = zip(inputs_of(walked).tolist(), walked.actions.tolist(), strict=True)
        support = [{"input": each, "label": action} for each, action in pairs]
        api.post("/adapt", json={"client_id": "arm", "model": "reach", "support": support}).raise_for_status()
        before.append(rollouts(stay, goal, rng, 1).returns[0])
        after.append(rollouts(act, goal, rng, 1).returns[0])
    assert np.mean(after) > 0.8 * np.mean(before)
