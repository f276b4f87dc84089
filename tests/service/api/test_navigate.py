"""A client's own trajectories over HTTP: it adapts a policy to them, and moves as the policy says."""

import shutil

import numpy as np
import pytest

from models.datasets.navigation import EXPLORATION, Floats, inputs_of, queries_of, rollouts
from service.settings import ZOO, Settings
from tests.service.serving import working

GOALS = ((0.4, 0.3), (-0.35, 0.1), (0.1, -0.45))
HORIZON = 20


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("navigate")
    for path in ZOO.glob("navigate*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    return Settings(models=zoo, redis_url=redis_url, default_model="navigate-maml")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


@pytest.mark.parametrize("model", ["navigate-maml", "navigate-rl2"])
def test_a_policy_gets_better_by_its_own_trajectories(api, model):
    def act(states: Floats) -> Floats:
        answer = api.post("/predict", json={"client_id": "robot", "inputs": queries_of(states).tolist()})
        return np.array([one["value"] for one in answer.raise_for_status().json()["predictions"]])

    before, after = [], []
    for goal in map(np.array, GOALS):
        rng = np.random.default_rng(0)
        walked = rollouts(np.zeros_like, goal, rng, 6, 8, EXPLORATION)
        before.append(rollouts(np.zeros_like, goal, rng, 1, HORIZON).returns[0])
        for mode in ("replace", "append"):
            pairs = zip(inputs_of(walked).tolist(), walked.actions.tolist(), strict=True)
            support = [{"input": each, "label": action} for each, action in pairs]
            body = {"client_id": "robot", "model": model, "support": support, "mode": mode}
            api.post("/adapt", json=body).raise_for_status()
            walked = rollouts(act, goal, rng, 6, 8, EXPLORATION)
        after.append(rollouts(act, goal, rng, 1, HORIZON).returns[0])
    assert np.mean(after) > 0.6 * np.mean(before)
