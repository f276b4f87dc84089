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
    assert answer["threshold"] == {"score": "probability", "at_least": middle, "source": "request"}
    assert [each["unknown"] for each in answer["predictions"]].count(True) in (3, 4)
    assert all(each["probability"] <= middle for each in answer["predictions"] if each["unknown"])
    assert all(each["probability"] >= middle for each in answer["predictions"] if not each["unknown"])


def test_few_examples_give_the_default_threshold(api):
    adapt(api, letters("LVZ", 2))
    answer = predict(api, abstain=True).json()
    assert answer["threshold"] == {"score": "probability", "at_least": pytest.approx(3 / 5), "source": "default"}


def test_enough_examples_give_a_threshold_of_the_client(api):
    adapt(api, letters("LVZ", 7))
    answer = predict(api, abstain=True, coverage=0.9).json()
    assert (answer["threshold"]["source"], answer["threshold"]["score"]) == ("client", "familiarity")
    stricter = predict(api, abstain=True, coverage=0.6).json()
    assert stricter["threshold"]["at_least"] >= answer["threshold"]["at_least"]


def test_a_model_without_shared_features_compares_probabilities(api):
    adapt(api, letters("LVZ", 7), model="glyphs-maml")
    threshold = predict(api, abstain=True).json()["threshold"]
    assert (threshold["source"], threshold["score"]) == ("client", "probability")


def test_drawings_of_no_class_are_unknown_more_often(api):
    adapt(api, letters("LV", 11))
    strange = predict(api, [png("H", shift) for shift in range(4)], abstain=True).json()
    known = predict(api, [png("L", shift) for shift in range(4)], abstain=True).json()
    assert sum(each["unknown"] for each in strange["predictions"]) > sum(
        each["unknown"] for each in known["predictions"]
    )


def test_the_answer_is_the_same_when_the_device_has_forgotten_the_features(api, worker):
    adapt(api, letters("LVZ", 7))
    inputs = [*QUERIES, png("H")]
    before = predict(api, inputs, abstain=True).json()
    for write in list(worker._cache._entries):
        worker.evict(write)
    after = predict(api, inputs, abstain=True).json()
    assert after["threshold"] == before["threshold"]
    assert [each["unknown"] for each in after["predictions"]] == [each["unknown"] for each in before["predictions"]]


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
