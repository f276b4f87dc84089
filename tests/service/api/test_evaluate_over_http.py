"""The answers of a client compared with labelled queries."""

import pytest

from handful import Handful
from tests.service.drawings import letters, png, wave


def adapt(api, support, **fields):
    api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status()


def evaluate(api, queries, **fields):
    return api.post("/clients/alice/evaluate", json={"queries": queries} | fields)


def test_the_figures_of_a_classifier_agree_with_its_answers(api):
    adapt(api, letters("LVZ", 2))
    queries = letters("LVZ", 4)
    asked = {"client_id": "alice", "inputs": [query["input"] for query in queries]}
    answers = [each["label"] for each in api.post("/predict", json=asked).json()["predictions"]]
    found = evaluate(api, queries).json()
    right = sum(answer == query["label"] for answer, query in zip(answers, queries, strict=True))
    assert (found["queries"], found["unknown"], found["accuracy"]) == (12, 0, pytest.approx(right / 12))
    assert found["interval"][0] <= found["accuracy"] <= found["interval"][1]
    assert [each["label"] for each in found["classes"]] == ["L", "V", "Z"]
    assert sum(each["count"] for each in found["confusion"]) == 12
    assert 0 <= found["calibration_error"] <= 1
    assert found["thresholds"][0]["kept"] == 1
    assert found["thresholds"][0]["unknown_kept"] is None


def test_queries_of_no_class_count_in_the_curve_only(api):
    adapt(api, letters("LV", 2))
    found = evaluate(api, [*letters("LV", 2), {"input": png("O"), "label": None}]).json()
    assert (found["queries"], found["unknown"]) == (4, 1)
    assert all(point["unknown_kept"] in (0, 1) for point in found["thresholds"])
    answer = evaluate(api, [{"input": png("O"), "label": None}])
    assert (answer.status_code, answer.json()["field"]) == (422, "queries")


def test_a_label_that_the_client_does_not_have_is_refused(api):
    adapt(api, letters("LV", 2))
    answer = evaluate(api, [*letters("L", 1), *letters("Z", 1)])
    assert (answer.status_code, answer.json()["field"]) == (422, "queries[1].label")
    assert evaluate(api, [{"input": png("L"), "label": 1.5}]).status_code == 422


def test_an_input_that_is_refused_is_named(api):
    adapt(api, letters("LV", 2))
    answer = evaluate(api, [*letters("L", 1), {"input": "no image", "label": "V"}])
    assert answer.json()["field"] == "queries[1].input"


def test_the_errors_of_a_regression(api):
    adapt(api, wave(6), model="sinusoid")
    found = evaluate(api, wave(4)).json()
    assert found["mse"] > 0 < found["mae"]
    assert found["accuracy"] is None
    answer = evaluate(api, [{"input": 1, "label": "many"}])
    assert (answer.status_code, answer.json()["field"]) == (422, "queries[0].label")


def test_an_earlier_version_is_evaluated(api):
    adapt(api, letters("LV", 2))
    adapt(api, letters("LVZ", 2))
    assert evaluate(api, letters("Z", 1), version=1).status_code == 422
    assert evaluate(api, letters("Z", 1)).json()["version"] == 2


def test_a_client_with_one_class_cannot_be_evaluated(api):
    adapt(api, letters("L", 2))
    assert evaluate(api, letters("L", 1)).json()["code"] == "too_few_examples"


def test_the_python_client_evaluates(api):
    adapt(api, letters("LV", 2))
    with Handful(str(api.base_url)) as handful:
        pairs = [(each["input"], each["label"]) for each in letters("LV", 3)]
        assert (
            handful.evaluate("alice", [*pairs, (png("O"), None)])
            == evaluate(api, [*letters("LV", 3), {"input": png("O"), "label": None}]).json()
        )
