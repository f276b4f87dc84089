"""The examples of a client over HTTP: kept once, shown, relabelled and removed one by one."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from service.store.keys import client_keys, inputs_key
from service.store.records import ClientKey
from tests.service.drawings import letters, png, wave

ALICE = ClientKey("default", "alice")
TEXTS = ("L", "V", "Z")


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields)


def append(api, support, **fields):
    return adapt(api, support, mode="append", **fields)


def predict(api, letter="V", **fields):
    return api.post("/predict", json={"client_id": "alice", "inputs": [png(letter)]} | fields)


def examples(api, **query) -> list[dict]:
    return api.get("/clients/alice/examples", params=query).raise_for_status().json()["examples"]


def named(support: list[dict]) -> list[dict]:
    """With ids a, b, ..."""
    return [each | {"id": chr(ord("a") + i)} for i, each in enumerate(support)]


def test_examples_have_ids_labels_and_times(api):
    answer = adapt(api, named(letters("LV")))
    assert answer.json()["ids"] == ["a", "b", "c", "d"]
    shown = examples(api)
    assert [(each["id"], each["label"]) for each in shown] == [("a", "L"), ("b", "L"), ("c", "V"), ("d", "V")]
    assert all(each["created_at"] and "input" not in each for each in shown)
    assert api.get("/clients/alice/examples/c").json() == shown[2]


def test_the_id_of_an_example_without_one_is_a_digest_of_its_content(api):
    first = adapt(api, letters("LV")).json()["ids"]
    assert len(set(first)) == 4
    assert adapt(api, letters("LV")).json()["ids"] == first
    assert [each["id"] for each in examples(api)] == first


def test_pages_are_whole_and_in_the_order_of_storing(api):
    adapt(api, named(letters("LVZ")))
    found, cursor = [], 0
    while cursor is not None:
        page = api.get("/clients/alice/examples", params={"limit": 4, "cursor": cursor}).json()
        found += [each["id"] for each in page["examples"]]
        cursor = page["next_cursor"]
    assert found == list("abcdef")


def test_examples_of_one_class(api):
    adapt(api, named(letters("LVZ")))
    assert [each["id"] for each in examples(api, label="V")] == ["c", "d"]
    assert [each["id"] for each in examples(api, label="V", limit=1)] == ["c"]
    assert api.get("/clients/alice/examples", params={"label": "X"}).json()["code"] == "unknown_class"


def test_inputs_are_shown_on_demand_as_images(api):
    adapt(api, letters("LV"))
    for shown in examples(api, inputs=True):
        image = Image.open(io.BytesIO(base64.b64decode(shown["input"])))
        assert (image.size, image.mode) == ((28, 28), "L")
        assert np.asarray(image).max() == 255


def test_one_example_is_read_alone(api, redis):
    adapt(api, letters("LV"))
    first, second = (example["id"] for example in api.get("/clients/alice/examples").json()["examples"][:2])
    redis.hset(inputs_key(ALICE), "1", b"damaged")
    assert api.get(f"/clients/alice/examples/{first}", params={"inputs": True}).status_code == 200
    assert api.get(f"/clients/alice/examples/{second}").json()["code"] == "corrupt_record"
    assert api.get("/clients/alice/examples/no-such").json()["code"] == "unknown_example"


def test_inputs_and_labels_of_a_regression_are_numbers(api):
    adapt(api, wave(), model="sinusoid")
    shown = examples(api, inputs=True)
    assert [each["input"] for each in shown] == [point["input"] for point in wave()]
    assert [each["label"] for each in shown] == pytest.approx([point["label"] for point in wave()])


def test_the_same_example_is_stored_once(api):
    first = adapt(api, letters("LV")).json()
    again = append(api, letters("L", 1)).json()
    assert (again["examples"], again["ids"]) == (4, first["ids"][:1])
    assert [each["code"] for each in again["warnings"]] == ["duplicate"]
    assert again["warnings"][0]["field"] == "support[0]"


def test_duplicates_are_kept_on_demand(api):
    first = adapt(api, letters("LV")).json()
    again = append(api, letters("L", 1), keep_duplicates=True).json()
    assert (again["examples"], again["ids"]) == (5, [first["ids"][0] + "-2"])
    assert "warnings" not in again
    assert append(api, [letters("L", 1)[0] | {"id": "own"}]).json()["examples"] == 6


def test_an_id_that_belongs_to_another_example_is_refused(api):
    adapt(api, named(letters("LV")))
    answer = append(api, [letters("Z", 1)[0] | {"id": "a"}])
    assert (answer.status_code, answer.json()["field"]) == (409, "support[0].id")
    assert append(api, named(letters("L", 1))).json()["examples"] == 4


def test_one_input_with_two_labels_is_reported(api):
    adapt(api, letters("LV"))
    [warning] = append(api, [{"input": png("L"), "label": "V"}]).json()["warnings"]
    assert (warning["code"], warning["field"]) == ("contradiction", "support[0]")
    assert "'L'" in warning["detail"]


def test_an_example_can_be_relabelled(api):
    adapt(api, named(letters("LV")))
    answer = api.patch("/clients/alice/examples/b", json={"label": "Z"})
    assert (answer.json()["version"], answer.json()["classes"]) == (2, ["L", "V", "Z"])
    assert api.get("/clients/alice/examples/b").json()["label"] == "Z"
    wrong = api.patch("/clients/alice/examples/b", json={"label": 3})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "label")


def test_a_class_can_be_renamed(api):
    adapt(api, named(letters("LV")))
    before = predict(api).json()["predictions"][0]["probability"]
    assert api.patch("/clients/alice/classes/V", json={"label": "A/B c"}).json()["classes"] == ["A/B c", "L"]
    answered = predict(api).json()["predictions"][0]
    assert (answered["label"], answered["probability"]) == ("A/B c", pytest.approx(before, abs=1e-5))
    assert api.patch("/clients/alice/classes/A%2FB c", json={"label": "L"}).json()["code"] == "conflict"
    assert api.patch("/clients/alice/classes/V", json={"label": "W"}).json()["code"] == "unknown_class"


def test_a_removal_leaves_a_receipt_and_no_earlier_version_with_the_example(api):
    adapt(api, named(letters("LV")))
    append(api, letters("Z"))
    answer = api.delete("/clients/alice/examples/b")
    receipt = answer.json()["receipt"]
    assert (receipt["examples"], receipt["from_version"], receipt["to_version"]) == (["b"], 2, 3)
    assert api.get("/clients/alice/examples/b").json()["code"] == "unknown_example"
    assert api.delete("/clients/alice/examples/b").status_code == 404
    for version in (1, 2):
        gone = predict(api, version=version)
        assert (gone.status_code, gone.json()["code"]) == (410, "version_gone")
        assert gone.json()["receipt"] == receipt
        assert api.get("/clients/alice/examples", params={"version": version}).status_code == 410


def test_earlier_versions_stay_on_demand(api):
    adapt(api, named(letters("LV")))
    before = predict(api).json()["predictions"]
    api.delete("/clients/alice/examples/b", params={"keep_history": True}).raise_for_status()
    assert predict(api, version=1).json()["predictions"][0]["probability"] == pytest.approx(before[0]["probability"])
    assert [each["id"] for each in examples(api, version=1)] == ["a", "b", "c", "d"]


def test_a_class_can_be_removed(api):
    adapt(api, named(letters("LVZ")))
    answer = api.delete("/clients/alice/classes/V").json()
    assert (answer["classes"], answer["examples"]) == (["L", "Z"], 4)
    assert answer["receipt"]["examples"] == ["c", "d"]
    assert api.delete("/clients/alice/classes/V").json()["code"] == "unknown_class"


@pytest.mark.parametrize("support", [[], letters("L", 1)])
def test_a_client_may_begin_with_less_than_a_predict_needs(api, support):
    begun = adapt(api, support).json()
    assert (begun["version"], begun["state_bytes"], begun["examples"]) == (1, 0, len(support))
    refused = predict(api)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_few_examples")
    assert "two" in refused.json()["detail"] or "2 classes" in refused.json()["detail"]
    append(api, letters("LVZ"))
    assert predict(api).json()["predictions"][0]["label"] == "V"


def test_a_regression_may_begin_with_nothing(api):
    adapt(api, [], model="sinusoid")
    ask = {"client_id": "alice", "inputs": [1.0]}
    assert api.post("/predict", json=ask).json()["code"] == "too_few_examples"
    append(api, wave(1))
    assert api.post("/predict", json=ask).status_code == 200


def test_a_slash_at_the_end_of_a_label_belongs_to_it(api):
    adapt(api, [each | {"label": each["label"] + "/" * i} for i, each in enumerate(letters("LL"))] + letters("V"))
    classes = api.get("/clients/alice").json()["classes"]
    assert {"L", "L/"} <= set(classes)
    assert set(api.delete("/clients/alice/classes/L%2F").json()["classes"]) == set(classes) - {"L/"}
    assert "L" not in api.delete("/clients/alice/classes/L/").json()["classes"]


def test_a_client_that_lost_a_class_cannot_predict(api):
    adapt(api, named(letters("LV")))
    api.delete("/clients/alice/classes/V")
    assert predict(api).json()["code"] == "too_few_examples"
    append(api, letters("Z"))
    assert predict(api, "Z").json()["predictions"][0]["label"] == "Z"


def test_a_change_is_refused_after_another_one(api):
    tag = adapt(api, named(letters("LV"))).headers["etag"]
    assert api.get("/clients/alice").headers["etag"] == tag
    match = {"If-Match": tag}
    assert append(api, letters("Z")).status_code == 200
    for lost in (
        api.delete("/clients/alice/examples/a", headers=match),
        api.patch("/clients/alice/examples/a", json={"label": "Z"}, headers=match),
        api.delete("/clients/alice/classes/L", headers=match),
        api.patch("/clients/alice/classes/L", json={"label": "K"}, headers=match),
        api.post("/adapt", json={"client_id": "alice", "support": letters("LV")}, headers=match),
        api.post("/adapt", json={"client_id": "alice", "support": letters("N"), "mode": "append"}, headers=match),
        api.delete("/clients/alice", headers=match),
    ):
        assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")
    now = api.get("/clients/alice").headers["etag"]
    assert api.delete("/clients/alice/examples/a", headers={"If-Match": f'"old", {now}'}).status_code == 200
    assert api.delete("/clients/alice", headers={"If-Match": "*"}).status_code == 204


def test_a_retry_of_a_change_gets_the_first_answer_although_the_tag_is_old(api):
    tag = adapt(api, letters("LV")).headers["etag"]
    body = {"client_id": "alice", "support": letters("Z"), "mode": "append"}
    headers = {"If-Match": tag, "Idempotency-Key": "one"}
    first, again = (api.post("/adapt", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])


def test_a_header_that_is_no_entity_tag_is_refused(api):
    adapt(api, letters("LV"))
    assert api.delete("/clients/alice", headers={"If-Match": "3"}).json()["field"] == "If-Match"


def test_an_append_writes_its_own_rows_only(api, redis):
    adapt(api, wave(500), model="sinusoid")
    _, versions, rows, inputs, *_ = client_keys(ALICE)
    before = redis.hgetall(inputs)
    redis.hset(inputs, "0", before[b"0"])
    append(api, [{"input": 9, "label": 9}])
    after = redis.hgetall(inputs)
    assert {row for row in after if after[row] != before.get(row)} == {b"500"}
    assert redis.hlen(rows) == 501
    ranges = b'"rows":[[0,500]]'
    assert ranges in redis.hget(versions, "2")
