"""Examples with several labels, over HTTP."""

import pytest

from handful import Handful
from tests.service.drawings import letters, png, wave

L, V, NONE = (["L"], ["V"], [])


def labelled(name: str, shift: int, labels: list) -> dict:
    return {"id": f"{name}{shift}", "input": png(name, shift), "labels": labels}


def support(shots: int = 3) -> list[dict]:
    """L and V are letters of their own names and `thin`; Z has no label."""
    own = [labelled(name, shift, [name, "thin"]) for name in "LV" for shift in range(shots)]
    return own + [labelled("Z", shift, []) for shift in range(shots)]


def adapt(api, examples, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": examples} | fields)


def predict(api, inputs=None, **fields):
    inputs = [png("L", 4), png("Z", 4)] if inputs is None else inputs
    return api.post("/predict", json={"client_id": "alice", "inputs": inputs} | fields)


def listed(api, **query) -> dict[str, list]:
    found = api.get("/clients/alice/examples", params=query).raise_for_status().json()["examples"]
    return {each["id"]: each["labels"] for each in found}


def test_an_answer_has_the_labels_whose_threshold_is_reached(api):
    answer = adapt(api, support()).raise_for_status().json()
    assert (answer["classes"], answer["several"]) == (["L", "V", "thin"], True)
    found = predict(api).raise_for_status().json()
    assert [each["label"] for each in found["thresholds"]] == ["L", "V", "thin"]
    assert {each["source"] for each in found["thresholds"]} == {"default"}
    least = {each["label"]: each["at_least"] for each in found["thresholds"]}
    for each in found["predictions"]:
        assert each["labels"] == [name for name, p in each["probabilities"].items() if p >= least[name]]
    assert set(found["predictions"][0]["labels"]) == {"L", "thin"}
    assert found["predictions"][1]["labels"] == []


def test_a_client_whose_examples_have_no_label_says_what_it_needs(api):
    adapt(api, [labelled("Z", 0, [])]).raise_for_status()
    answer = api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_few_examples")
    assert "needs an example with a label" in answer.json()["detail"]


def test_one_label_is_short_for_a_list_of_one(api):
    adapt(api, support()).raise_for_status()
    more = [{"id": "n", "input": png("N"), "label": "N"}]
    adapt(api, more, mode="append").raise_for_status()
    assert listed(api)["n"] == ["N"]


def test_several_labels_for_a_client_of_single_ones_are_refused(api):
    adapt(api, letters("LV", 2)).raise_for_status()
    answer = adapt(api, [labelled("Z", 0, ["Z"])], mode="append")
    assert (answer.status_code, answer.json()["field"]) == (422, "support[0].labels")
    assert "one `label`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("model", "examples"), [("glyphs-maml", support(1)), ("sinusoid", [{"input": 1, "labels": ["a"]}])]
)
def test_models_without_shared_features_refuse_several_labels_by_name(api, model, examples):
    answer = adapt(api, examples, model=model)
    assert (answer.status_code, answer.json()["field"]) == (422, "support[0].labels")
    assert model in answer.json()["detail"]
    assert "several_labels" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"label": "L", "labels": ["L"]}, "support[0].label"),
        ({}, "support[0].label"),
        ({"labels": "L"}, "support[0].labels"),
        ({"labels": ["L", 1.5]}, "support[0].labels[1]"),
        ({"labels": ["L", 1]}, "support[0].labels[1]"),
        ({"labels": [""]}, "support[0].labels[0]"),
        ({"labels": [str(i) for i in range(200)]}, "support[0].labels"),
        ({"label": ["L"]}, "support[0].label"),
    ],
)
def test_wrong_labels_are_refused_with_their_place(api, fields, field):
    answer = adapt(api, [{"input": png("L")} | fields, labelled("V", 0, ["V"])])
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_client_of_empty_label_sets_waits_for_a_class(api):
    adapt(api, [labelled("Z", 0, [])]).raise_for_status()
    assert predict(api).json()["code"] == "too_few_examples"
    adapt(api, [labelled("L", 0, ["L"])], mode="append").raise_for_status()
    assert predict(api).status_code == 200


def test_labels_are_kept_once_and_sorted(api):
    adapt(api, [labelled("L", 0, ["b", "a", "b"]), labelled("V", 0, [])]).raise_for_status()
    assert listed(api) == {"L0": ["a", "b"], "V0": []}


def test_examples_are_listed_by_one_of_their_labels(api):
    adapt(api, support(2)).raise_for_status()
    assert set(listed(api, label="V")) == {"V0", "V1"}
    assert len(listed(api, label="thin")) == 4
    one = api.get("/clients/alice/examples/Z0").json()
    assert one["labels"] == []
    assert "label" not in one


def test_an_example_is_relabelled(api):
    adapt(api, support(2)).raise_for_status()
    api.patch("/clients/alice/examples/Z0", json={"labels": ["Z", "thin"]}).raise_for_status()
    assert listed(api)["Z0"] == ["Z", "thin"]
    assert api.get("/clients/alice").json()["classes"] == ["L", "V", "Z", "thin"]
    api.patch("/clients/alice/examples/Z0", json={"label": "L"}).raise_for_status()
    assert listed(api)["Z0"] == ["L"]
    answer = api.patch("/clients/alice/examples/Z0", json={"labels": [3]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_class_is_renamed_in_all_sets(api):
    adapt(api, support(2)).raise_for_status()
    api.patch("/clients/alice/classes/thin", json={"label": "Line"}).raise_for_status()
    assert listed(api)["V1"] == ["Line", "V"]
    assert api.patch("/clients/alice/classes/L", json={"label": "V"}).json()["code"] == "conflict"


def test_a_removed_class_leaves_the_examples_with_their_other_labels(api):
    adapt(api, support(2)).raise_for_status()
    answer = api.delete("/clients/alice/classes/thin").raise_for_status().json()
    assert (answer["classes"], answer["examples"]) == (["L", "V"], 6)
    assert "receipt" not in answer
    assert listed(api)["L0"] == ["L"]


def test_a_removed_example_leaves_a_receipt(api):
    adapt(api, support(2)).raise_for_status()
    answer = api.delete("/clients/alice/examples/L0").raise_for_status().json()
    assert answer["receipt"]["examples"] == ["L0"]
    assert "L0" not in listed(api)


def test_a_change_gives_the_state_of_adapting_from_scratch(api):
    adapt(api, support(3)).raise_for_status()
    api.delete("/clients/alice/examples/L2").raise_for_status()
    changed = predict(api).json()["predictions"]
    adapt(api, [each for each in support(3) if each["id"] != "L2"]).raise_for_status()
    for one, other in zip(changed, predict(api).json()["predictions"], strict=True):
        assert one["labels"] == other["labels"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_a_lost_state_is_rebuilt(api, redis, worker):
    adapt(api, support(2)).raise_for_status()
    before = predict(api).json()["predictions"]
    for write in list(worker._cache._entries):
        worker.evict(write)
    redis.delete(*redis.keys("*:state"))
    assert predict(api).json()["predictions"] == before


def test_versions_are_copied_and_rolled_back_with_their_labels(api):
    adapt(api, support(2)).raise_for_status()
    api.patch("/clients/alice/examples/Z0", json={"labels": ["Z"]}).raise_for_status()
    assert listed(api, version=1)["Z0"] == []
    answer = api.post("/clients/alice/rollback", json={"version": 1}).raise_for_status().json()
    assert answer["several"] is True
    assert listed(api)["Z0"] == []
    api.post("/clients/alice/copy", json={"client_id": "bob"}).raise_for_status()
    assert api.get("/clients/bob").json()["several"] is True


def test_a_client_of_several_labels_moves_only_to_models_that_take_them(api):
    adapt(api, support(2)).raise_for_status()
    answer = api.post("/clients/alice/model", json={"model": "glyphs-maml"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_an_exported_client_is_imported_with_its_labels(api):
    adapt(api, support(2)).raise_for_status()
    before, file = predict(api).json()["predictions"], api.get("/clients/alice/export").content
    api.delete("/clients/alice").raise_for_status()
    headers = {"content-type": "application/safetensors"}
    api.post("/clients/alice/import", content=file, headers=headers).raise_for_status()
    assert listed(api)["L1"] == ["L", "thin"]
    assert listed(api)["Z1"] == []
    assert predict(api).json()["predictions"] == before
    adapt(api, letters("LV", 2)).raise_for_status()
    refused = api.post("/clients/alice/import", params={"mode": "append"}, content=file, headers=headers)
    assert refused.status_code == 422


def test_the_quality_has_micro_and_macro_f1(api):
    adapt(api, support(4)).raise_for_status()
    estimate = api.get("/clients/alice/quality").raise_for_status().json()["estimate"]
    assert (estimate["method"], estimate["judged"]) == ("leave-one-out", 12)
    assert 0 <= estimate["macro_f1"] <= 1
    assert 0 <= estimate["micro_f1"] <= 1
    assert estimate["interval"][0] <= estimate["accuracy"] <= estimate["interval"][1]
    assert estimate["confusions"] == []
    assert estimate["confusion"] is None


def test_few_examples_are_counted_for_each_label(api):
    adapt(api, [*support(3), labelled("N", 0, ["rare", "thin"])]).raise_for_status()
    assert api.get("/clients/alice/quality").json()["few_examples"] == [{"label": "rare", "examples": 1}]


def test_labelled_queries_are_evaluated(api):
    adapt(api, support(3)).raise_for_status()
    queries = [
        {"input": png("L", 4), "labels": ["L", "thin"]},
        {"input": png("V", 4), "label": "V"},
        {"input": png("Z", 4), "labels": []},
    ]
    found = api.post("/clients/alice/evaluate", json={"queries": queries}).raise_for_status().json()
    assert found["queries"] == 3
    assert [each["queries"] for each in found["classes"]] == [1, 1, 1]
    assert 0 < found["micro_f1"] <= 1
    wrong = [{"input": png("L"), "labels": ["L", "nothing"]}]
    answer = api.post("/clients/alice/evaluate", json={"queries": wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, "queries[0].labels")


def test_thresholds_of_the_client_come_with_a_coverage(api):
    adapt(api, support(9)).raise_for_status()
    found = predict(api, coverage=0.9).raise_for_status().json()["thresholds"]
    assert {each["source"] for each in found} == {"client"}
    few = predict(api, coverage=0.99).raise_for_status().json()["thresholds"]
    assert {each["source"] for each in few} == {"default"}
    given = predict(api, min_probability=0.0).raise_for_status().json()
    assert given["predictions"][0]["labels"] == ["L", "V", "thin"]


def test_the_most_probable_labels_come_first(api):
    adapt(api, support(3)).raise_for_status()
    shown = predict(api, top_k=2).raise_for_status().json()["predictions"][0]["probabilities"]
    assert len(shown) == 2
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_such_a_client_does_not_abstain(api):
    adapt(api, support(2)).raise_for_status()
    answer = predict(api, abstain=True)
    assert (answer.status_code, answer.json()["field"]) == (422, "abstain")


def test_a_regression_takes_no_label_sets_when_relabelled(api):
    adapt(api, [each | {"id": f"p{i}"} for i, each in enumerate(wave(4))], model="sinusoid").raise_for_status()
    answer = api.patch("/clients/alice/examples/p0", json={"labels": ["a"]})
    assert answer.status_code == 422


def test_the_python_client_sends_sets_of_labels(api):
    with Handful(str(api.base_url)) as handful:
        pairs = [(png("L"), {"L", "thin"}, "a"), (png("V"), ["V"], "b"), (png("Z"), [], "c")]
        assert handful.adapt("alice", pairs)["several"] is True
        assert set(handful.predict("alice", [png("L")])[0]) == {"labels", "probabilities"}
        handful.relabel("alice", "c", ["Z"])
        assert handful.evaluate("alice", [(png("Z"), {"Z"})])["queries"] == 1
    assert listed(api) == {"a": ["L", "thin"], "b": ["V"], "c": ["Z"]}
