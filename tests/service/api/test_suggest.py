"""POST /clients/{id}/suggest: which inputs to label next."""

import numpy as np
import pytest
from safetensors.numpy import save

from tests.service.drawings import letters, png, wave
from tests.service.serving import serving

MANY = ["L", "L", "L", "L", "V", "V", "V", "Z"]
POOL = [png(letter, shift) for shift, letter in enumerate(MANY)]


def adapt(api, support, **fields) -> None:
    api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status()


def suggest(api, inputs=None, **fields):
    return api.post("/clients/alice/suggest", json={"inputs": POOL if inputs is None else inputs} | fields)


def chosen(answer) -> list[dict]:
    return answer.raise_for_status().json()["suggestions"]


@pytest.mark.parametrize("support", [[], letters("L")], ids=["no class", "one class"])
def test_a_client_that_cannot_predict_is_asked_for_different_inputs(api, support):
    adapt(api, support)
    found = chosen(suggest(api, k=3))
    assert {MANY[each["index"]] for each in found} == {"L", "V", "Z"}
    assert [set(each) for each in found] == [{"index", "score"}] * 3


def test_each_suggestion_has_the_answer_of_a_predict(api):
    adapt(api, letters("LVN"))
    answer = suggest(api, k=4, ids=[f"p{i}" for i in range(len(POOL))])
    predicted = api.post("/predict", json={"client_id": "alice", "inputs": POOL}).json()["predictions"]
    found = chosen(answer)
    assert len({each["index"] for each in found}) == 4
    for each in found:
        assert each["id"] == f"p{each['index']}"
        assert each["label"] == predicted[each["index"]]["label"]
        assert each["probability"] == pytest.approx(predicted[each["index"]]["probability"], abs=1e-5)
    scores = [each["score"] for each in found]
    assert scores == sorted(scores, reverse=True)


def test_more_than_there_are_gives_all(api):
    adapt(api, letters("LV"))
    assert sorted(each["index"] for each in chosen(suggest(api, k=1000))) == list(range(len(POOL)))


def kept(redis) -> list[bytes]:
    """The keys, except those of the tenant's usage, which is counted at any time."""
    return sorted(key for key in redis.scan_iter() if not key.endswith((b":days", b":usage")))


def test_nothing_is_stored_or_changed(api, redis):
    adapt(api, letters("LV"), keep_queries_s=60)
    before = kept(redis)
    assert "id" not in chosen(suggest(api))[0]
    assert kept(redis) == before
    assert api.get("/clients/alice").json()["version"] == 1


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml"])
def test_models_with_and_without_an_encoder_suggest(api, model):
    adapt(api, letters("LV"), model=model)
    assert len(chosen(suggest(api, k=2))) == 2


def test_a_regression_suggests_by_diversity_and_shows_values(api):
    adapt(api, wave(), model="sinusoid")
    found = chosen(suggest(api, [-4, -3.9, 4, 3.9, 0], k=2))
    assert all(set(each) == {"index", "score", "value"} for each in found)
    assert {each["index"] // 2 for each in found} == {0, 1}


def test_arrays_are_inputs_too(api):
    adapt(api, letters("LV"))
    drawings = np.random.default_rng(0).integers(0, 2, (4, 28, 28), np.uint8) * 255
    body = save({"inputs": drawings}, {"k": "2", "ids": '["a", "b", "c", "d"]'})
    answer = api.post("/clients/alice/suggest", content=body, headers={"content-type": "application/safetensors"})
    assert {each["id"] for each in chosen(answer)} <= set("abcd")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 1001}, "k"),
        ({"k": 1.5}, "k"),
        ({"inputs": []}, "inputs"),
        ({"inputs": ["no image"]}, "inputs[0]"),
        ({"ids": ["a"]}, "ids"),
        ({"ids": ["a b"] * len(POOL)}, "ids[0]"),
        ({"label": "L"}, "label"),
    ],
)
def test_what_is_wrong_is_named(api, fields, field):
    adapt(api, letters("LV"))
    answer = suggest(api, **fields)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_the_number_of_inputs_is_limited_before_work(settings, worker, redis):
    redis.flushall()
    with serving(settings.model_copy(update={"max_queries": 7}), worker) as api:
        adapt(api, [])
        answer = suggest(api)
        assert (answer.status_code, answer.json()["field"]) == (422, "inputs")


def test_an_unknown_client_is_404(api):
    assert suggest(api).json()["code"] == "unknown_client"
