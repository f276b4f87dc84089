"""Answers of a regression with an interval, over HTTP."""

import pytest

from handful import Handful
from tests.service.drawings import letters, png, wave


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status()


def predict(api, inputs=(0.5, 1.5), **fields):
    return api.post("/predict", json={"client_id": "alice", "inputs": list(inputs)} | fields)


def test_a_regression_has_no_interval_unless_it_is_asked(api):
    adapt(api, wave(12), model="sinusoid")
    answer = predict(api).json()
    assert "interval" not in answer
    assert all("interval" not in each for each in answer["predictions"])


def test_enough_examples_give_intervals_of_the_client(api):
    adapt(api, wave(12), model="sinusoid")
    answer = predict(api, interval=0.9).json()
    assert answer["interval"] == {"level": 0.9, "source": "client", "judged": 12}
    widths = [each["interval"][1] - each["interval"][0] for each in answer["predictions"]]
    assert widths[0] > 0
    assert widths[0] == pytest.approx(widths[1], rel=1e-5)
    assert all(each["interval"][0] < each["value"] < each["interval"][1] for each in answer["predictions"])


def test_a_higher_level_gives_wider_intervals(api):
    adapt(api, wave(30), model="sinusoid")
    narrow, wide = (predict(api, interval=level).json()["predictions"][0]["interval"] for level in (0.6, 0.95))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_few_examples_take_the_errors_of_the_card(api):
    adapt(api, wave(3), model="sinusoid")
    answer = predict(api, interval=0.5).json()
    assert answer["interval"]["source"] == "client"
    answer = predict(api, interval=0.99).json()
    assert answer["interval"] == {"level": 0.99, "source": "model", "judged": 3}
    low, high = answer["predictions"][0]["interval"]
    assert high - low == pytest.approx(2 * 8.0)


def test_too_few_examples_for_both_are_refused(api):
    adapt(api, wave(1), model="sinusoid")
    answer = predict(api, interval=0.9)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "too_few_examples", "interval")


def test_a_classifier_has_no_intervals(api):
    adapt(api, letters("LV", 2))
    answer = predict(api, [png("L")], interval=0.9)
    assert (answer.status_code, answer.json()["field"]) == (422, "interval")
    assert "only a regression" in answer.json()["detail"]


@pytest.mark.parametrize("level", [0.4, 0.999, "0.9", True])
def test_a_level_out_of_range_is_refused(api, level):
    adapt(api, wave(12), model="sinusoid")
    assert predict(api, interval=level).status_code == 422


def test_the_python_client_asks_for_intervals(api):
    adapt(api, wave(12), model="sinusoid")
    with Handful(str(api.base_url)) as handful:
        assert len(handful.predict("alice", [0.5], interval=0.8)[0]["interval"]) == 2
