"""Feedback over HTTP: a kept query becomes an example, once, and nothing else is kept."""

import threading

import httpx
import pytest
from redis import Redis

from service.store.keys import queries_key, query_key
from service.store.records import ClientKey
from tests.service.drawings import letters, png, wave
from tests.service.redises import until
from tests.service.serving import serving

ALICE = ClientKey("default", "alice")
KEPT_S = 3600
VALUE = 836
"""Bytes of a kept drawing."""


def adapt(api, support=None, **fields):
    body = {"client_id": "alice", "support": letters("LV") if support is None else support} | fields
    return api.post("/adapt", json=body)


def predict(api, *drawings, **fields) -> list[dict]:
    body = {"client_id": "alice", "inputs": list(drawings) or [png("Z")]} | fields
    return api.post("/predict", json=body).raise_for_status().json()["predictions"]


def feedback(api, name, label="Z", **headers) -> httpx.Response:
    return api.post("/clients/alice/feedback", json={"id": name, "label": label}, headers=headers)


def values(redis: Redis) -> bytes:
    """Everything that is stored of kept queries."""
    return b"".join(key + (redis.get(key) if redis.type(key) == b"string" else b"") for key in redis.keys("*queries*"))


@pytest.fixture
def kept(api) -> httpx.Client:
    """A client that keeps its queries."""
    adapt(api, keep_queries_s=KEPT_S).raise_for_status()
    return api


def test_predictions_have_no_id_and_nothing_is_kept_unless_the_client_asks(api, redis):
    adapt(api).raise_for_status()
    assert "id" not in predict(api)[0]
    assert redis.keys("*queries*") == []


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


def test_an_expired_query_is_unknown_and_gone(kept, redis):
    [prediction] = predict(kept)
    key = query_key(ALICE, prediction["id"])
    assert 0 < redis.ttl(key) <= KEPT_S
    redis.pexpire(key, 1)
    until(lambda: not redis.exists(key))
    assert feedback(kept, prediction["id"]).json()["code"] == "unknown_prediction"


def test_a_query_is_not_kept_for_longer_than_its_client(api, redis):
    adapt(api, keep_queries_s=KEPT_S, ttl_s=60).raise_for_status()
    [prediction] = predict(api)
    assert redis.ttl(query_key(ALICE, prediction["id"])) <= 60


def test_the_setting_stays_over_changes_until_it_is_changed(kept):
    def shown() -> int | None:
        return kept.get("/clients/alice").json().get("keep_queries_s")

    assert adapt(kept, letters("Z"), mode="append").json()["keep_queries_s"] == KEPT_S
    assert kept.post("/clients/alice/rollback", json={"version": 1}).json()["keep_queries_s"] == KEPT_S
    adapt(kept).raise_for_status()
    assert shown() == KEPT_S
    assert "keep_queries_s" not in adapt(kept, keep_queries_s=0).json()
    assert shown() is None


def test_a_copy_keeps_no_queries(kept):
    predict(kept)
    kept.post("/clients/alice/copy", json={"client_id": "bob"}).raise_for_status()
    assert "keep_queries_s" not in kept.get("/clients/bob").json()


@pytest.mark.parametrize("seconds", [1, 0])
def test_a_shorter_time_forgets_what_was_kept_for_longer(kept, redis, seconds):
    [prediction] = predict(kept)
    adapt(kept, [], mode="append", keep_queries_s=seconds).raise_for_status()
    assert redis.keys("*queries*") == []
    assert feedback(kept, prediction["id"]).status_code == 404


def test_a_model_of_other_inputs_forgets_what_was_kept(kept, redis):
    [prediction] = predict(kept)
    adapt(kept, wave(), model="sinusoid").raise_for_status()
    assert redis.keys("*queries*") == []
    assert feedback(kept, prediction["id"], 1.0).json()["code"] == "unknown_prediction"
    past = kept.post("/predict", json={"client_id": "alice", "inputs": [png("Z")], "version": 1}).json()
    assert "id" not in past["predictions"][0]
    assert [each["code"] for each in past["warnings"]] == ["not_kept"]
    assert redis.keys("*queries*") == []


@pytest.mark.parametrize(("seconds", "detail"), [(10**9, "at most 604800 s"), (-1, "greater"), (1.5, "integer")])
def test_a_time_over_the_limit_is_refused(api, seconds, detail):
    answer = adapt(api, keep_queries_s=seconds)
    assert (answer.status_code, answer.json()["field"]) == (422, "keep_queries_s")
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("change", ["DELETE", "expiry", "recreated"])
def test_the_end_of_a_client_leaves_no_trace_of_its_queries(kept, redis, change):
    predict(kept, png("Z"), png("N"))
    assert len(redis.keys("*queries*")) == 3
    if change == "DELETE":
        kept.delete("/clients/alice").raise_for_status()
    elif change == "recreated":
        adapt(kept, ttl_s=1).raise_for_status()
        until(lambda: kept.get("/clients/alice").status_code == 404)
        adapt(kept).raise_for_status()
    else:
        kept.delete("/clients/alice", headers={"If-Match": "*"}).raise_for_status()
    assert redis.keys("*queries*") == []


def test_removing_an_example_forgets_kept_queries_with_its_input(kept, redis):
    [same, other] = predict(kept, png("Z"), png("N"))
    name = feedback(kept, same["id"]).json()["ids"][0]
    [again] = predict(kept, png("Z"))
    kept.delete(f"/clients/alice/examples/{name}").raise_for_status()
    for each in (same, again):
        assert feedback(kept, each["id"]).json()["code"] == "unknown_prediction"
        assert not redis.exists(query_key(ALICE, each["id"]))
    assert feedback(kept, other["id"], "N").status_code == 200


def test_only_the_latest_queries_are_kept(settings, worker, redis):
    redis.flushall()
    with serving(settings.model_copy(update={"keep_queries": 3}), worker) as api:
        adapt(api, keep_queries_s=KEPT_S).raise_for_status()
        first, second = predict(api, *[png("Z", i) for i in range(2)]), predict(api, png("N"), png("N", 1))
        assert len(redis.keys("*queries:*")) == redis.zcard(queries_key(ALICE)) == 3
        assert feedback(api, first[0]["id"]).status_code == 404
        assert all(feedback(api, each["id"]).status_code == 200 for each in (first[1], *second))


def test_the_bytes_of_kept_queries_are_bounded(settings, worker, redis):
    redis.flushall()
    with serving(settings.model_copy(update={"keep_queries_bytes": 3 * VALUE - 1}), worker) as api:
        adapt(api, keep_queries_s=KEPT_S).raise_for_status()
        found = [each["id"] for i in range(5) for each in predict(api, png("Z", i % 3))]
        assert sum(redis.strlen(key) for key in redis.keys("*queries:*")) < 3 * VALUE
        assert [feedback(api, each).status_code for each in found] == [404, 404, 404, 200, 200]


@pytest.mark.parametrize("size", [2 * VALUE, 3 * VALUE - 1])
def test_a_request_over_the_bounds_has_ids_for_its_last_queries(settings, worker, redis, size):
    redis.flushall()
    with serving(settings.model_copy(update={"keep_queries": 3, "keep_queries_bytes": size}), worker) as api:
        adapt(api, keep_queries_s=KEPT_S).raise_for_status()
        found = predict(api, *[png("Z", i % 3) for i in range(5)])
        assert ["id" in each for each in found] == [False, False, False, True, True]
        assert all(feedback(api, each["id"]).status_code == 200 for each in found[3:])


def test_an_export_has_no_kept_queries(kept):
    [prediction] = predict(kept, png("Z"))
    file = kept.get("/clients/alice/export").content
    assert prediction["id"].encode() not in file
    kept.delete("/clients/alice").raise_for_status()
    kept.post("/clients/alice/import", content=file, headers={"content-type": "application/safetensors"})
    assert feedback(kept, prediction["id"]).status_code == 404


def test_a_damaged_query_is_unknown_and_the_client_can_be_deleted(kept, redis):
    [one, two, three] = predict(kept, png("Z"), png("N"), png("L"))
    redis.setrange(query_key(ALICE, one["id"]), 200, b"damage")
    redis.delete(query_key(ALICE, two["id"]))
    redis.rpush(query_key(ALICE, two["id"]), "a list")
    redis.set(query_key(ALICE, three["id"]), b"")
    for each in (one, two, three):
        assert feedback(kept, each["id"]).json()["code"] == "unknown_prediction"
    kept.delete("/clients/alice/examples/" + kept.get("/clients/alice/examples").json()["examples"][0]["id"])
    kept.delete("/clients/alice").raise_for_status()
    assert redis.keys("*queries*") == []


def test_an_index_of_another_type_does_not_stop_predicts_or_deletes(kept, redis):
    redis.set(queries_key(ALICE), b"no list")
    [prediction] = predict(kept)
    assert feedback(kept, prediction["id"]).status_code == 200
    redis.delete(queries_key(ALICE))
    redis.set(queries_key(ALICE), b"no list")
    kept.delete("/clients/alice").raise_for_status()
    assert not redis.exists(queries_key(ALICE))


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
