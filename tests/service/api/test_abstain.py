"""Answers that are too improbable are unknown."""

import pytest

from tests.service.drawings import letters, png, wave

QUERIES = [png(letter, shift) for letter in "LVZ" for shift in (1, 4)]


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status()


def predict(api, inputs=QUERIES, **fields):
    return api.post("/predict", json={"client_id": "alice", "inputs": inputs} | fields)


def test_nothing_is_unknown_unless_it_is_asked(api):
    adapt(api, letters("LVZ", 2))
    answer = predict(api).json()
    assert "threshold" not in answer
    assert all("unknown" not in each for each in answer["predictions"])


def test_a_given_threshold_divides_the_answers(api):
    adapt(api, letters("LVZ", 2))
    middle = sorted(each["probability"] for each in predict(api).json()["predictions"])[3]
    answer = predict(api, min_probability=middle).json()
    assert answer["threshold"] == {"min_probability": middle, "source": "request"}
    assert [each["unknown"] for each in answer["predictions"]].count(True) in (3, 4)
    assert all(each["unknown"] == (each["probability"] < middle) for each in answer["predictions"])


def test_few_examples_give_the_default_threshold(api):
    adapt(api, letters("LVZ", 2))
    answer = predict(api, abstain=True).json()
    assert answer["threshold"] == {"min_probability": pytest.approx(2 / 3), "source": "default"}


def test_enough_examples_give_a_threshold_of_the_client(api):
    adapt(api, letters("LVZ", 7))
    answer = predict(api, abstain=True, coverage=0.9).json()
    assert answer["threshold"]["source"] == "client"
    stricter = predict(api, abstain=True, coverage=0.6).json()
    assert stricter["threshold"]["min_probability"] >= answer["threshold"]["min_probability"]


def test_the_threshold_belongs_to_the_version_and_is_computed_once(api, worker, monkeypatch):
    adapt(api, letters("LVZ", 7))
    calls = []
    submit = worker.submit_held_out
    monkeypatch.setattr(worker, "submit_held_out", lambda *args: calls.append(1) or submit(*args))
    first = predict(api, abstain=True).json()["threshold"]
    assert predict(api, abstain=True, version=1).json()["threshold"] == first
    assert len(calls) == 1
    adapt(api, letters("LVZ", 9))
    predict(api, abstain=True)
    assert len(calls) == 2


def test_a_regression_cannot_abstain(api):
    adapt(api, wave(), model="sinusoid")
    answer = predict(api, [0.5], abstain=True)
    assert (answer.status_code, answer.json()["field"]) == (422, "abstain")


@pytest.mark.parametrize("fields", [{"coverage": 1}, {"coverage": "0.9"}, {"min_probability": 2}, {"abstain": 1}])
def test_thresholds_out_of_range_are_refused(api, fields):
    adapt(api, letters("LV", 1))
    assert predict(api, **fields).status_code == 422
