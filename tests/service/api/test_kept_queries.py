"""How long queries are kept for feedback, how many, and what forgets them."""

import httpx
import pytest

from service.store.keys import queries_key, query_key
from tests.service.api.feedback_calls import ALICE, KEPT_S, adapt, feedback, keeping, predict
from tests.service.drawings import letters, png, wave
from tests.service.redises import until
from tests.service.serving import serving

VALUE = 836
"""Bytes of a kept drawing."""


@pytest.fixture
def kept(api) -> httpx.Client:
    return keeping(api)


def test_predictions_have_no_id_and_nothing_is_kept_unless_the_client_asks(api, redis):
    adapt(api).raise_for_status()
    assert "id" not in predict(api)[0]
    assert redis.keys("*queries*") == []


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
