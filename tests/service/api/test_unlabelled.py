"""Inputs without labels, over HTTP: a client learns from them, and has them like its other examples."""

import pytest

from service.store.keys import client_keys
from service.store.records import ClientKey
from tests.service.drawings import letters, png, wave

ALICE = ClientKey("default", "alice")


def adapt(api, support=None, **fields):
    body = {"client_id": "alice", "support": letters("LV", 1) if support is None else support} | fields
    return api.post("/adapt", json=body)


def unlabelled(api, *inputs, headers=None, **fields):
    body = {"inputs": list(inputs) or [png("L", 4), png("V", 4)]} | fields
    return api.post("/clients/alice/unlabelled", json=body, headers=headers or {})


def probabilities(api, **fields) -> list[dict]:
    body = {"client_id": "alice", "inputs": [png("L", 6), png("Z")]} | fields
    return [each["probabilities"] for each in api.post("/predict", json=body).raise_for_status().json()["predictions"]]


def examples(api, **query) -> list[dict]:
    return api.get("/clients/alice/examples", params=query).raise_for_status().json()["examples"]


@pytest.fixture
def taught(api):
    adapt(api).raise_for_status()
    return api


def test_they_change_the_model_and_are_listed_and_counted(taught):
    before = probabilities(taught)
    answer = unlabelled(taught, ids=["a", "b"]).raise_for_status().json()
    assert (answer["examples"], answer["unlabelled"], answer["classes"]) == (4, 2, ["L", "V"])
    assert answer["ids"] == ["a", "b"]
    assert probabilities(taught) != before
    assert [each.get("label") for each in examples(taught)] == ["L", "V", None, None]
    assert taught.get("/clients/alice").json()["unlabelled"] == 2
    assert taught.get("/clients/alice/versions").json()["versions"][0]["change"] == "unlabelled"


def test_removing_them_gives_the_model_as_it_was(taught):
    before = probabilities(taught)
    unlabelled(taught, ids=["a", "b"]).raise_for_status()
    for name in "ab":
        receipt = taught.delete(f"/clients/alice/examples/{name}").raise_for_status().json()["receipt"]
        assert receipt["examples"] == [name]
    assert probabilities(taught) == [pytest.approx(each, abs=1e-6) for each in before]
    assert "unlabelled" not in taught.get("/clients/alice").json()


def test_a_label_makes_one_an_example_like_the_others(taught):
    unlabelled(taught, png("Z"), ids=["a"]).raise_for_status()
    answer = taught.patch("/clients/alice/examples/a", json={"label": "Z"}).raise_for_status().json()
    assert (answer["classes"], answer["examples"]) == (["L", "V", "Z"], 3)
    assert "unlabelled" not in answer


def test_later_examples_go_on_from_them_and_versions_keep_them(taught):
    before = probabilities(taught)
    unlabelled(taught).raise_for_status()
    with_them = probabilities(taught)
    assert adapt(taught, letters("LV", 3), mode="append").json()["unlabelled"] == 2
    assert probabilities(taught, version=2) == with_them
    assert probabilities(taught, version=1) == before
    assert taught.post("/clients/alice/rollback", json={"version": 2}).json()["unlabelled"] == 2
    assert probabilities(taught) == [pytest.approx(each, abs=1e-6) for each in with_them]


def test_a_state_that_was_lost_is_made_again_with_them(taught, redis):
    unlabelled(taught).raise_for_status()
    before = probabilities(taught)
    taught.post("/clients/alice/copy", json={"client_id": "bob"}).raise_for_status()
    assert probabilities(taught, client_id="bob") == [pytest.approx(each, abs=1e-6) for each in before]


def test_a_file_has_them(taught):
    unlabelled(taught).raise_for_status()
    before = probabilities(taught)
    file = taught.get("/clients/alice/export").raise_for_status().content
    taught.delete("/clients/alice")
    headers = {"Content-Type": "application/safetensors"}
    answer = taught.post("/clients/alice/import", content=file, headers=headers).raise_for_status().json()
    assert (answer["examples"], answer["unlabelled"]) == (4, 2)
    assert probabilities(taught) == [pytest.approx(each, abs=1e-6) for each in before]


def test_nothing_of_them_is_left_with_the_client(taught, redis):
    unlabelled(taught).raise_for_status()
    taught.delete("/clients/alice").raise_for_status()
    assert [key for key in client_keys(ALICE) if redis.exists(key)] == []


def test_the_same_input_is_stored_once(taught):
    unlabelled(taught, png("L", 4), ids=["a"]).raise_for_status()
    answer = unlabelled(taught, png("L", 4), png("V")).raise_for_status().json()
    assert [each["code"] for each in answer["warnings"]] == ["duplicate", "duplicate"]
    assert (answer["examples"], answer["unlabelled"]) == (3, 1)


def test_a_retry_with_the_same_key_adds_them_once(taught):
    first, second = (unlabelled(taught, headers={"Idempotency-Key": "once"}).json() for _ in range(2))
    assert second == first


def test_quality_judges_the_labelled_examples_only(taught):
    adapt(taught, letters("LV", 3)).raise_for_status()
    unlabelled(taught, png("L", 5), png("V", 5)).raise_for_status()
    found = taught.get("/clients/alice/quality").raise_for_status().json()
    assert (found["examples"], found["not_judged"], found["estimate"]["judged"]) == (8, 2, 6)


def test_an_explanation_adds_up_with_them(taught):
    unlabelled(taught, ids=["a", "b"]).raise_for_status()
    body = {"client_id": "alice", "inputs": [png("L", 6)], "explain": True}
    [found] = taught.post("/predict", json=body).raise_for_status().json()["predictions"]
    why = found["explanation"]
    assert {each["id"] for each in why["examples"]} >= {"a"}
    parts = sum(each["weight"] for each in why["examples"]) + why["rest"] + why["base"]
    assert parts == pytest.approx(why["total"], abs=1e-4)


def test_abstaining_knows_only_the_labelled_examples(taught):
    adapt(taught, letters("LV", 3)).raise_for_status()
    unlabelled(taught, png("Z"), png("Z", 1)).raise_for_status()
    body = {"client_id": "alice", "inputs": [png("L", 1)], "abstain": True}
    assert taught.post("/predict", json=body).raise_for_status().json()["predictions"][0]["label"] == "L"


def test_a_client_without_labels_cannot_predict_yet(api):
    adapt(api, []).raise_for_status()
    answer = unlabelled(api).raise_for_status().json()
    assert (answer["examples"], answer["unlabelled"], answer["classes"]) == (2, 2, [])
    assert api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]}).json()["code"] == "too_few_examples"
    assert adapt(api, letters("LV", 1), mode="append").json()["examples"] == 4
    assert len(probabilities(api)) == 2


@pytest.mark.parametrize(("model", "support", "asked"), [
    ("glyphs-maml", letters("LV"), png("L", 5)),
    ("sinusoid", wave(), 1.5),
    ("glyphs", [{"input": png("L"), "labels": ["a"]}, {"input": png("V"), "labels": []}], png("L", 5)),
])  # fmt: skip
def test_models_that_learn_nothing_from_them_refuse_them(api, model, support, asked):
    adapt(api, support, model=model).raise_for_status()
    answer = unlabelled(api, asked)
    assert (answer.status_code, answer.json()["field"]) == (422, "inputs")


def test_a_client_moves_only_to_models_that_learn_from_them(taught):
    unlabelled(taught).raise_for_status()
    assert taught.post("/clients/alice/model", json={"model": "glyphs-maml"}).status_code == 422


def test_a_bad_input_is_named_by_its_place(taught):
    answer = unlabelled(taught, png("L", 5), "no image")
    assert answer.json()["field"] == "inputs[1]"
    assert unlabelled(taught, png("L", 5), ids=["a", "b"]).json()["field"] == "ids"


def test_an_example_to_append_still_needs_a_label(taught):
    answer = adapt(taught, [{"input": png("L"), "label": None}], mode="append")
    assert (answer.status_code, answer.json()["field"]) == (422, "support[0].label")
