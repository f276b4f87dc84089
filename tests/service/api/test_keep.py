"""A bounded number of examples of each class, over HTTP: `keep`."""

import pytest

from tests.service.drawings import letters, png, wave

KEEP = 2


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields)


def append(api, support, **fields):
    return adapt(api, support, mode="append", **fields)


def ids(api, client="alice", **query) -> list[str]:
    shown = api.get(f"/clients/{client}/examples", params=query).raise_for_status().json()["examples"]
    return [each["id"] for each in shown]


def predictions(api, **fields) -> list[dict]:
    body = {"client_id": "alice", "inputs": [png("L"), png("V", 3)]} | fields
    return api.post("/predict", json=body).raise_for_status().json()["predictions"]


@pytest.fixture
def kept(api):
    """A client with two examples of each of two classes, and no room for more."""
    adapt(api, letters("LV"), keep=KEEP).raise_for_status()
    return api


def test_an_append_drops_what_a_class_has_no_room_for(kept):
    before = ids(kept)
    answer = append(kept, letters("LV", 6)).raise_for_status().json()
    assert (answer["examples"], answer["keep"]) == (2 * KEEP, KEEP)
    stay = ids(kept)
    assert set(stay).isdisjoint(answer["dropped"])
    assert {*stay, *answer["dropped"]} == {*before, *answer["ids"]}
    assert len(answer["dropped"]) == 8
    assert len(ids(kept, label="L")) == KEEP
    assert kept.get("/clients/alice").json()["keep"] == KEEP


def test_appending_in_parts_keeps_the_same_and_predicts_the_same_as_adapting_to_all(kept):
    for shots in (3, 5, 6):
        append(kept, letters("LV", shots)).raise_for_status()
    stay, found = ids(kept), predictions(kept)
    kept.delete("/clients/alice")
    adapt(kept, letters("LV", 6), keep=KEEP).raise_for_status()
    assert set(ids(kept)) == set(stay)
    for own, other in zip(predictions(kept), found, strict=True):
        assert own["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_what_was_dropped_does_not_come_back_when_it_is_sent_again(kept):
    first = append(kept, letters("LV", 6)).json()
    again = append(kept, letters("LV", 6)).json()
    assert set(again["dropped"]) == set(first["dropped"])
    assert set(ids(kept)).isdisjoint(again["dropped"])


def test_the_bound_lasts_until_it_is_changed(kept):
    assert append(kept, letters("LV", 3)).json()["examples"] == 2 * KEEP
    assert append(kept, letters("LV", 4), keep=3).json()["examples"] == 6
    answer = append(kept, letters("LV", 6), keep=0).json()
    assert answer["examples"] > 6
    assert "keep" not in answer
    assert "keep" not in adapt(kept, letters("LV")).json()


def test_a_smaller_bound_drops_without_new_examples(api):
    adapt(api, letters("LV", 5)).raise_for_status()
    answer = append(api, [], keep=1).raise_for_status().json()
    assert (answer["examples"], len(answer["dropped"])) == (2, 8)


def test_a_rollback_brings_back_what_was_dropped_and_the_bound_of_its_version(kept):
    before, found = ids(kept), predictions(kept)
    append(kept, letters("LV", 6), keep=1).raise_for_status()
    assert ids(kept, version=1) == before
    assert predictions(kept, version=1) == found
    answer = kept.post("/clients/alice/rollback", json={"version": 1}).raise_for_status().json()
    assert (answer["keep"], answer["examples"]) == (KEEP, 2 * KEEP)
    assert "dropped" not in answer
    assert ids(kept) == before


def test_a_copy_and_an_edit_keep_the_bound(kept):
    kept.post("/clients/alice/copy", json={"client_id": "bob"}).raise_for_status()
    assert kept.get("/clients/bob").json()["keep"] == KEEP
    [first, *_] = ids(kept)
    assert kept.delete(f"/clients/alice/examples/{first}").raise_for_status().json()["keep"] == KEEP
    assert append(kept, letters("LV", 4)).json()["examples"] == 2 * KEEP


def test_a_retry_with_the_same_key_gets_the_same_answer(kept):
    headers = {"Idempotency-Key": "once"}
    body = {"client_id": "alice", "support": letters("LV", 6), "mode": "append"}
    first, second = (kept.post("/adapt", json=body, headers=headers).json() for _ in range(2))
    assert first["dropped"]
    assert second == first


def test_feedback_is_bounded_too(kept):
    append(kept, [], keep_queries_s=60).raise_for_status()
    body = {"client_id": "alice", "inputs": [png("V", 4)]}
    [prediction] = kept.post("/predict", json=body).json()["predictions"]
    answer = kept.post("/clients/alice/feedback", json={"id": prediction["id"], "label": "V"}).json()
    assert answer["examples"] == 2 * KEEP
    assert len(answer["dropped"]) == 1


def test_a_regression_keeps_so_many_points(api):
    answer = adapt(api, wave(9), model="sinusoid", keep=4).raise_for_status().json()
    assert (answer["examples"], len(answer["dropped"])) == (4, 5)


def test_an_imported_file_is_bounded_by_the_client(kept):
    adapt(kept, letters("LV", 6), client_id="bob").raise_for_status()
    file = kept.get("/clients/bob/export").raise_for_status().content
    headers = {"Content-Type": "application/safetensors"}
    sent = kept.post("/clients/alice/import", params={"mode": "append"}, content=file, headers=headers)
    assert sent.raise_for_status().json()["examples"] == 2 * KEEP


@pytest.mark.parametrize("keep", [-1, 1.5, "2", True])
def test_a_bound_is_a_number_of_examples(api, keep):
    answer = adapt(api, letters("LV"), keep=keep)
    assert (answer.status_code, answer.json()["field"]) == (422, "keep")


def test_a_client_file_keeps_the_bound_and_the_half_life(kept):
    adapt(kept, letters("LV"), keep=KEEP, half_life_s=60).raise_for_status()
    file = kept.get("/clients/alice/export").raise_for_status().content
    headers = {"content-type": "application/safetensors"}
    kept.post("/clients/bob/import", content=file, headers=headers).raise_for_status()
    shown = kept.get("/clients/bob").json()
    assert (shown["keep"], shown["half_life_s"]) == (KEEP, 60)
    body = {"client_id": "bob", "support": letters("LV", 6), "mode": "append"}
    assert kept.post("/adapt", json=body).raise_for_status().json()["examples"] == 2 * KEEP
