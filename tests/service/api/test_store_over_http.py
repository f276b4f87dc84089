"""The guarantees of the store over HTTP: deletes, corrupt clients and idempotency keys."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.store.keys import examples_key, inputs_key, record_key, versions_key
from service.store.records import ClientKey

ALICE = ClientKey("default", "alice")
ADAPT = {"client_id": "alice", "model": "sinusoid", "support": [{"input": 0, "label": 0}, {"input": 1, "label": 1}]}
APPEND = ADAPT | {"mode": "append", "keep_duplicates": True}
PREDICT = {"client_id": "alice", "inputs": [1]}
KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def adapt(api, who: str = "alice", **fields):
    return api.post("/adapt", json=ADAPT | {"client_id": who} | fields)


def test_one_of_many_concurrent_deletes_is_answered_204(api):
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            adapt(api)
            answers = list(pool.map(lambda _: api.delete("/clients/alice").status_code, range(8)))
            assert sorted(answers) == [204] + [404] * 7


def test_a_delete_that_is_answered_404_keeps_a_concurrent_adapt(api):
    with ThreadPoolExecutor(2) as pool:
        for n in range(50):
            adapting = pool.submit(adapt, api, f"race-{n}")
            deleted = api.delete(f"/clients/race-{n}").status_code
            assert adapting.result().status_code == 200
            assert (deleted, api.get(f"/clients/race-{n}").status_code) in [(404, 200), (204, 404)]


@pytest.mark.parametrize("key_of", [record_key, versions_key, examples_key, inputs_key])
def test_a_corrupt_client_is_a_named_error_and_repaired_by_adapt_and_delete(api, redis, key_of):
    for repair in (lambda: adapt(api), lambda: api.delete("/clients/alice")):
        adapt(api)
        adapt(api, "bob")
        redis.set(key_of(ALICE), '{"bro')
        appended = api.post("/adapt", json=APPEND)
        assert (appended.status_code, appended.json()["code"]) == (409, "corrupt_record")
        assert appended.headers["content-type"] == "application/problem+json"
        assert "DELETE" in appended.json()["detail"]
        assert "bob" in [each["client_id"] for each in api.get("/clients").json()["clients"]]
        assert repair().status_code in (200, 204)
        assert api.get("/clients/alice").status_code in (200, 404)
        assert api.post("/predict", json=PREDICT).status_code in (200, 404)


def test_a_corrupt_record_is_refused_by_every_read_and_counted(api, redis):
    adapt(api)
    redis.delete(record_key(ALICE))
    redis.hset(record_key(ALICE), "a", "b")
    for answer in (api.get("/clients/alice"), api.post("/predict", json=PREDICT)):
        assert (answer.status_code, answer.json()["code"]) == (409, "corrupt_record")
    listed = api.get("/clients")
    assert (listed.status_code, listed.json()["clients"]) == (200, [])
    assert "handful_corrupt_records_total" in api.get("/metrics").text


@pytest.mark.parametrize("body", [ADAPT, APPEND])
def test_a_retry_gets_the_same_bytes_and_changes_nothing(api, body):
    adapt(api)
    first, again = (api.post("/adapt", json=body, headers=KEY) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert api.get("/clients/alice").json()["version"] == 2


def test_the_same_key_with_another_body_is_refused(api):
    api.post("/adapt", json=ADAPT, headers=KEY)
    for other in (APPEND, ADAPT | {"client_id": "bob"}):
        answer = api.post("/adapt", json=other, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert answer.json()["field"] == "Idempotency-Key"


def test_concurrent_requests_with_one_key_are_carried_out_once(api):
    adapt(api)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/adapt", json=APPEND, headers=KEY), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("request_in_progress", "1")
    assert api.get("/clients/alice").json()["examples"] == 4


def test_a_refused_request_does_not_use_up_its_key(api):
    assert api.post("/adapt", json=APPEND, headers=KEY).status_code == 404
    adapt(api)
    assert api.post("/adapt", json=APPEND, headers=KEY).status_code == 200


def test_a_key_that_is_too_long_is_refused(api):
    answer = api.post("/adapt", json=ADAPT, headers={"Idempotency-Key": "k" * 256})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
    assert api.get("/clients/alice").status_code == 404


def test_the_headers_are_documented(api):
    parameters = api.get("/openapi.json").json()["paths"]["/adapt"]["post"]["parameters"]
    headers = {each["name"]: each["required"] for each in parameters if each["in"] == "header"}
    assert headers == {"Idempotency-Key": False, "If-Match": False}
