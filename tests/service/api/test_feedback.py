"""Feedback over HTTP: a kept query becomes an example, once."""

import threading

import httpx
import pytest

from tests.service.api.feedback_calls import KEPT_S, adapt, feedback, keeping, predict
from tests.service.drawings import png, wave


@pytest.fixture
def kept(api) -> httpx.Client:
    return keeping(api)


def test_a_query_becomes_an_example_of_a_new_class(kept):
    [_, prediction] = predict(kept, png("L"), png("Z"))
    answer = feedback(kept, prediction["id"]).raise_for_status()
    assert (answer.json()["version"], answer.json()["classes"], answer.json()["examples"]) == (2, ["L", "V", "Z"], 5)
    assert answer.headers["etag"]
    [name] = answer.json()["ids"]
    shown = kept.get(f"/clients/alice/examples/{name}", params={"inputs": True}).json()
    assert shown["label"] == "Z"
    assert predict(kept)[0]["label"] == "Z"
    assert kept.get("/clients/alice/versions").json()["versions"][0]["change"] == "feedback"


def test_feedback_equals_an_append_of_the_same_input(kept):
    own = adapt(kept, [{"input": png("Z"), "label": "Z"}], mode="append").json()
    before = predict(kept)[0]["probabilities"]
    adapt(kept).raise_for_status()
    [prediction] = predict(kept)
    assert feedback(kept, prediction["id"]).json()["ids"] == own["ids"]
    assert predict(kept)[0]["probabilities"] == before


def test_the_right_label_may_be_the_predicted_one(kept):
    [prediction] = predict(kept, png("V", 2))
    assert feedback(kept, prediction["id"], prediction["label"]).json()["classes"] == ["L", "V"]


def test_the_same_feedback_twice_is_stored_once(kept):
    [prediction] = predict(kept)
    first = feedback(kept, prediction["id"]).json()
    second = feedback(kept, prediction["id"]).json()
    assert (second["ids"], second["examples"]) == (first["ids"], 5)
    [warning] = second["warnings"]
    assert (warning["field"], warning["code"]) == ("id", "duplicate")


def test_another_label_for_the_same_prediction_is_stored_with_a_warning(kept):
    [prediction] = predict(kept)
    feedback(kept, prediction["id"]).raise_for_status()
    answer = feedback(kept, prediction["id"], "L").json()
    assert answer["examples"] == 6
    assert [each["code"] for each in answer["warnings"]] == ["contradiction"]


def test_a_retry_with_an_idempotency_key_changes_nothing(kept):
    [prediction] = predict(kept)
    first = feedback(kept, prediction["id"], **{"Idempotency-Key": "k"}).json()
    assert feedback(kept, prediction["id"], **{"Idempotency-Key": "k"}).json() == first
    other = feedback(kept, prediction["id"], "L", **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_one_client(kept):
    adapt(kept, client_id="bob", keep_queries_s=KEPT_S).raise_for_status()
    [prediction] = predict(kept)
    feedback(kept, prediction["id"], **{"Idempotency-Key": "k"}).raise_for_status()
    body = {"id": prediction["id"], "label": "Z"}
    answer = kept.post("/clients/bob/feedback", json=body, headers={"Idempotency-Key": "k"})
    assert answer.json()["code"] == "idempotency_key_reused"


def test_a_lost_race_changes_nothing(kept):
    [prediction] = predict(kept)
    answer = feedback(kept, prediction["id"], **{"If-Match": '"7-0"'})
    assert answer.status_code == 412
    tag = kept.get("/clients/alice").headers["etag"]
    assert feedback(kept, prediction["id"], **{"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("name", ["0123456789ab-0", "x", "a" * 128])
def test_feedback_on_an_unknown_prediction_says_the_way_out(kept, name):
    answer = feedback(kept, name)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_prediction")
    assert "append" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["a b", "", "a" * 129, "../x"])
def test_an_id_that_no_prediction_has_is_refused(kept, name):
    assert feedback(kept, name).status_code == 422


def test_feedback_on_an_unknown_client_is_404(api):
    assert feedback(api, "x").json()["code"] == "unknown_client"


@pytest.mark.parametrize(("label", "status"), [(7, 422), ("", 422), (None, 422), (["a"], 422), ("new", 200)])
def test_labels_are_checked_as_in_an_append(kept, label, status):
    [prediction] = predict(kept)
    answer = feedback(kept, prediction["id"], label)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["field"] == "label"
        assert "support" not in answer.json()["detail"]


def test_feedback_on_a_regression_takes_numbers(api):
    adapt(api, wave(), model="sinusoid", keep_queries_s=KEPT_S).raise_for_status()
    [prediction] = predict(api, 1.5)
    answer = feedback(api, prediction["id"], 0.25).json()
    assert answer["examples"] == len(wave()) + 1
    assert feedback(api, prediction["id"], "a").status_code == 422


def test_feedback_may_have_several_labels(api):
    support = [
        {"input": png(letter, i), "labels": labels} for i, (letter, labels) in enumerate([("L", ["a"]), ("V", ["b"])])
    ]
    adapt(api, support, keep_queries_s=KEPT_S).raise_for_status()
    [prediction] = predict(api)
    assert "probabilities" in prediction
    answer = api.post("/clients/alice/feedback", json={"id": prediction["id"], "labels": ["a", "c"]})
    assert answer.raise_for_status().json()["classes"] == ["a", "b", "c"]
    [name] = answer.json()["ids"]
    assert api.get(f"/clients/alice/examples/{name}").json()["labels"] == ["a", "c"]
    found = api.post("/clients/alice/suggest", json={"inputs": [png("L"), png("Z")], "k": 1}).raise_for_status().json()
    assert [set(each) for each in found["suggestions"]] == [{"index", "score"}]


def test_concurrent_feedback_loses_nothing(kept):
    found = predict(kept, *[png("Z", i) for i in range(3)], *[png("N", i) for i in range(3)])
    answers = []
    threads = [
        threading.Thread(target=lambda name=each["id"], label=label: answers.append(feedback(kept, name, label)))
        for each, label in zip(found, "ZZZNNN", strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 8))
    assert kept.get("/clients/alice").json()["examples"] == 10
