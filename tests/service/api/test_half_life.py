"""Examples that count for less with time, over HTTP: `half_life_s`."""

import pytest

from tests.service.drawings import letters, png, wave

SHORT = 1e-9
"""Seconds in which an example loses half of its weight: those of earlier requests count next to nothing."""
LONG = 3e9


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields)


def append(api, support, **fields):
    return adapt(api, support, mode="append", **fields)


def swapped(support: list[dict]) -> list[dict]:
    """L is called V, and V is called L."""
    return [each | {"label": {"L": "V", "V": "L"}[each["label"]]} for each in support]


def probabilities(api) -> list[dict]:
    body = {"client_id": "alice", "inputs": [png("L", 3), png("V", 3), png("Z")]}
    return [each["probabilities"] for each in api.post("/predict", json=body).raise_for_status().json()["predictions"]]


def nearly(found: list[dict]) -> list:
    return [pytest.approx(each, abs=1e-4) for each in found]


def test_what_was_taught_long_ago_counts_nothing(api):
    adapt(api, letters("LV")).raise_for_status()
    expected = probabilities(api)
    adapt(api, swapped(letters("LV", 4)), half_life_s=SHORT).raise_for_status()
    assert probabilities(api) != nearly(expected)
    answer = append(api, letters("LV")).raise_for_status().json()
    assert (answer["examples"], answer["half_life_s"]) == (12, SHORT)
    assert probabilities(api) == nearly(expected)


def test_a_long_half_life_changes_nothing(api):
    adapt(api, letters("LV", 3)).raise_for_status()
    append(api, letters("L", 5)).raise_for_status()
    expected = probabilities(api)
    append(api, [], half_life_s=LONG).raise_for_status()
    assert probabilities(api) == nearly(expected)


def test_examples_of_one_request_count_the_same(api):
    adapt(api, letters("LV", 4)).raise_for_status()
    expected = probabilities(api)
    adapt(api, letters("LV", 4), half_life_s=SHORT).raise_for_status()
    assert probabilities(api) == nearly(expected)


def test_it_lasts_until_it_is_changed_and_goes_back_with_its_version(api):
    adapt(api, swapped(letters("LV")), half_life_s=SHORT).raise_for_status()
    append(api, letters("LV")).raise_for_status()
    assert api.get("/clients/alice").json()["half_life_s"] == SHORT
    faded = probabilities(api)
    assert "half_life_s" not in append(api, [], half_life_s=0).json()
    assert probabilities(api) != nearly(faded)
    assert api.post("/clients/alice/rollback", json={"version": 2}).json()["half_life_s"] == SHORT
    assert probabilities(api) == nearly(faded)
    api.post("/clients/alice/copy", json={"client_id": "bob"}).raise_for_status()
    assert api.get("/clients/bob").json()["half_life_s"] == SHORT
    assert "half_life_s" not in adapt(api, letters("LV")).json()


def test_with_a_bound_the_latest_examples_stay(api):
    adapt(api, letters("LV", 3), half_life_s=LONG, keep=2).raise_for_status()
    answer = append(api, [{"input": png("L", 7), "label": "L", "id": "new"}]).raise_for_status().json()
    shown = api.get("/clients/alice/examples", params={"label": "L"}).json()["examples"]
    assert [each["id"] for each in shown][-1] == "new"
    assert len(answer["dropped"]) == 1
    assert answer["dropped"][0] not in [each["id"] for each in shown]


@pytest.mark.parametrize(("model", "support"), [("glyphs-maml", letters("LV")), ("sinusoid", wave())])
def test_models_that_count_all_examples_the_same_refuse_it_by_name(api, model, support):
    answer = adapt(api, support, model=model, half_life_s=60)
    assert (answer.status_code, answer.json()["field"]) == (422, "half_life_s")
    assert model in answer.json()["detail"]


def test_examples_of_several_labels_refuse_it(api):
    several = [{"input": png("L"), "labels": ["a", "b"]}, {"input": png("V"), "labels": ["b"]}]
    answer = adapt(api, several, half_life_s=60)
    assert (answer.status_code, answer.json()["field"]) == (422, "half_life_s")


def test_a_client_with_a_half_life_moves_only_to_models_that_take_weights(api):
    adapt(api, letters("LV"), half_life_s=60).raise_for_status()
    assert api.post("/clients/alice/model", json={"model": "glyphs-maml"}).status_code == 422


def test_explanations_and_quality_use_the_weights(api):
    adapt(api, swapped(letters("LV", 3)), half_life_s=SHORT).raise_for_status()
    fresh = append(api, letters("LV", 3)).raise_for_status().json()["ids"]
    body = {"client_id": "alice", "inputs": [png("L", 1)], "explain": True}
    [found] = api.post("/predict", json=body).raise_for_status().json()["predictions"]
    weighty = [each["id"] for each in found["explanation"]["examples"] if abs(each["weight"]) > 1e-3]
    assert set(weighty) <= set(fresh)


@pytest.mark.parametrize("half_life_s", [-1, "60", True, 1e12])
def test_a_half_life_is_a_number_of_seconds(api, half_life_s):
    answer = adapt(api, letters("LV"), half_life_s=half_life_s)
    assert (answer.status_code, answer.json()["field"]) == (422, "half_life_s")
