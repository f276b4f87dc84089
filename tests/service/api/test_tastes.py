"""Ratings of one person over HTTP."""

import shutil

import numpy as np
import pytest

from models.datasets.episode import Shape, rng_of
from models.datasets.tastes import Made
from service.settings import ZOO, Settings
from tests.service.serving import working


@pytest.fixture(scope="module")
def settings(redis_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for path in ZOO.glob("tastes.*"):
        shutil.copy(path, folder)
    return Settings(models=folder, redis_url=redis_url, default_model="tastes")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def test_ratings_are_predicted_from_ten_better_than_by_the_mean(api):
    squares, plain = [], []
    for index in range(10):
        support, films, truth = Made().episode(rng_of(7, index), Shape(0, 10, 20))
        rated = [
            {"input": one, "label": label[0]}
            for one, label in zip(support.inputs.tolist(), support.targets.tolist(), strict=True)
        ]
        assert api.post("/adapt", json={"client_id": "ann", "support": rated}).status_code == 200
        answer = api.post("/predict", json={"client_id": "ann", "inputs": films.tolist()}).json()
        values = np.array([one["value"] for one in answer["predictions"]])
        squares.append(np.square(values - truth.numpy()[:, 0]).mean())
        plain.append(np.square(support.targets.numpy().mean() - truth.numpy()).mean())
    assert np.mean(squares) < np.mean(plain)
