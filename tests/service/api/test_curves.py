"""Curves over HTTP, with the weights that ship: the intervals are wide where there are no examples."""

import shutil

import numpy as np
import pytest

from models.datasets.curves import KERNELS, Curves
from models.datasets.episode import Shape, rng_of
from service.settings import ZOO, Settings
from tests.service.serving import working

KNOWN = [{"input": x, "label": float(np.sin(3 * x))} for x in np.linspace(-1.5, 0.0, 8).round(3).tolist()]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    for path in ZOO.glob("curves*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    return Settings(models=zoo, redis_url=redis_url, default_model="curves")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def adapt(api, support=KNOWN, **fields):
    return api.post("/adapt", json={"client_id": "probe", "support": support} | fields).raise_for_status().json()


def predict(api, inputs, **fields):
    answer = api.post("/predict", json={"client_id": "probe", "inputs": inputs} | fields)
    return answer.raise_for_status().json()


def widths(answer) -> list[float]:
    return [high - low for low, high in (one["interval"] for one in answer["predictions"])]


def test_an_interval_is_wider_where_there_are_no_examples(api):
    adapt(api)
    near, far = widths(predict(api, [-0.75, 1.8], interval=0.9))
    assert far > 2 * near


def test_the_intervals_of_few_examples_rest_on_the_card(api):
    adapt(api, KNOWN[:4])
    answer = predict(api, [-1.0, 1.8], interval=0.9)
    assert answer["interval"] == {"level": 0.9, "source": "model", "judged": 4}
    assert len(set(widths(answer))) == 2


def test_the_own_errors_of_a_client_are_counted_in_deviations(api):
    adapt(api, KNOWN)
    answer = predict(api, [-0.75, 1.8], interval=0.8)
    assert answer["interval"] == {"level": 0.8, "source": "client", "judged": 8}
    near, far = widths(answer)
    assert far > near


def test_the_values_have_no_deviations_beside_them(api):
    adapt(api)
    assert all(isinstance(one["value"], float) for one in predict(api, [-1.0, 0.5])["predictions"])


def test_a_client_can_be_judged_and_its_answers_explained(api):
    adapt(api)
    estimate = api.get("/clients/probe/quality").raise_for_status().json()["estimate"]
    assert estimate["mse"] < 0.3
    [answer] = predict(api, [-0.75], explain=True)["predictions"]
    assert answer["explanation"]["examples"]


def test_most_values_are_in_their_intervals(api):
    """40 curves with 20 values each. The shares of curves vary; their mean is near 90 %."""
    sampler, inside = Curves(KERNELS), []
    for i in range(40):
        support, query, targets = sampler.episode(rng_of(99, i), Shape(0, 7, 20))
        pairs = zip(support.inputs[:, 0].tolist(), support.targets[:, 0].tolist(), strict=True)
        adapt(api, [{"input": x, "label": y} for x, y in pairs])
        answer = predict(api, query[:, 0].tolist(), interval=0.9)
        ends = np.array([one["interval"] for one in answer["predictions"]])
        inside += ((ends[:, 0] <= targets[:, 0].numpy()) & (targets[:, 0].numpy() <= ends[:, 1])).tolist()
    assert 0.8 < np.mean(inside) < 0.98
