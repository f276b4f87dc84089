"""How good a client is, over HTTP."""

import asyncio

import numpy as np
import pytest

from handful import Handful
from tests.service.drawings import letters, wave


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status().json()


def quality(api, **query) -> dict:
    return api.get("/clients/alice/quality", params=query).raise_for_status().json()


def named(support: list[dict]) -> list[dict]:
    return [each | {"id": f"{each['label']}{i}"} for i, each in enumerate(support)]


def test_the_quality_of_a_classifier(api):
    adapt(api, letters("LVZ", 4))
    found = quality(api)
    estimate = found["estimate"]
    assert (found["examples"], found["not_judged"], found["reason"]) == (12, 0, None)
    assert (estimate["method"], estimate["judged"]) == ("leave-one-out", 12)
    assert estimate["interval"][0] < estimate["accuracy"] <= estimate["interval"][1]
    assert estimate["mse"] is None
    assert found["duplicates"] == found["contradictions"] == found["few_examples"] == []


def test_the_quality_of_a_regression(api):
    adapt(api, wave(6), model="sinusoid")
    estimate = quality(api)["estimate"]
    assert estimate["judged"] == 6
    assert estimate["mse"] > 0 < estimate["mae"]
    assert estimate["accuracy"] is estimate["interval"] is estimate["confusion"] is None


def test_an_adapt_has_a_quality_only_if_it_is_asked(api):
    assert "quality" not in adapt(api, letters("LV", 3))
    assert adapt(api, letters("LV", 3), quality=True)["quality"] == quality(api)


def test_an_adapt_to_one_class_says_why_there_is_no_estimate(api):
    found = adapt(api, letters("L", 3), quality=True)["quality"]
    assert found["estimate"] is None
    assert "two classes" in found["reason"]


def test_examples_that_are_alone_in_their_class_are_not_judged(api):
    adapt(api, letters("LV", 3) + letters("Z", 1))
    found = quality(api)
    assert (found["not_judged"], found["estimate"]["judged"]) == (1, 6)
    assert found["few_examples"] == [{"label": "Z", "examples": 1}]


def test_one_example_of_each_class_gives_no_estimate(api):
    adapt(api, letters("LVZ", 1))
    found = quality(api)
    assert (found["estimate"], found["not_judged"]) == (None, 3)
    assert "only one" in found["reason"]


def test_the_only_point_of_a_regression_gives_no_estimate(api):
    api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave(1)}).raise_for_status()
    found = api.get("/clients/bob/quality").json()
    assert found["reason"] == "No example can be left out: the client has only one, or copies of one."


def test_a_wrong_label_is_suspected(api, worker, monkeypatch):
    adapt(api, named(letters("LV", 3)))
    logits = np.array([[4, 0], [4, 0], [4, 0], [4, 0], [0, 4], [0, 4]], np.float32)

    def hold_out(*_) -> asyncio.Future:
        found = asyncio.get_running_loop().create_future()
        found.set_result({"fold": np.arange(6), "answers": logits, "familiar": np.zeros(6)})
        return found

    monkeypatch.setattr(worker, "submit_held_out", hold_out)
    estimate = quality(api)["estimate"]
    [suspected] = estimate["suspected_errors"]
    assert (suspected["id"], suspected["label"], suspected["answer"]) == ("V3", "V", "L")
    assert suspected["probability"] > 0.95
    assert estimate["confusions"] == [{"labels": ["L", "V"], "count": 1}]
    assert estimate["confusion"] == [
        {"label": "L", "answer": "L", "count": 3},
        {"label": "V", "answer": "L", "count": 1},
        {"label": "V", "answer": "V", "count": 2},
    ]
    assert estimate["accuracy"] == pytest.approx(5 / 6)


def test_many_classes_have_no_whole_matrix(api, monkeypatch):
    monkeypatch.setattr("service.use_cases.quality.MATRIX", 2)
    adapt(api, letters("LVZ", 2))
    assert quality(api)["estimate"]["confusion"] is None


def test_duplicates_and_contradictions_are_listed(api):
    support = named(letters("LV", 2))
    again = [support[0] | {"id": "again"}, support[2] | {"id": "other", "label": "L"}]
    adapt(api, support + again)
    found = quality(api)
    assert found["duplicates"] == [["L0", "again"]]
    assert found["contradictions"] == [{"ids": ["V2", "other"], "labels": ["V", "L"]}]


def test_copies_of_an_example_do_not_improve_the_estimate(api):
    """Copies are left out together: one would give the answer to the other away."""
    adapt(api, letters("LV", 3))
    before = quality(api)["estimate"]["accuracy"]
    adapt(api, letters("LV", 3) * 2, keep_duplicates=True)
    after = quality(api)["estimate"]
    assert (after["accuracy"], after["judged"], after["method"]) == (before, 12, "leave-one-out")


def test_an_earlier_version_has_a_quality_of_its_own(api):
    adapt(api, letters("LV", 3))
    adapt(api, letters("LVZ", 3))
    assert (quality(api, version=1)["examples"], quality(api)["examples"]) == (6, 9)


def test_the_quality_of_a_version_is_computed_once(api, worker, monkeypatch):
    calls = []
    submit = worker.submit_held_out
    monkeypatch.setattr(worker, "submit_held_out", lambda *args: calls.append(1) or submit(*args))
    adapt(api, letters("LV", 3))
    assert quality(api) == quality(api)
    assert len(calls) == 1
    adapt(api, letters("LV", 4))
    quality(api)
    assert len(calls) == 2


def test_a_client_that_takes_too_long_has_a_reason(api, worker, monkeypatch):
    adapt(api, letters("LV", 3))
    monkeypatch.setattr(worker.budget, "_limit_s", -1.0)
    found = quality(api)
    assert found["estimate"] is None
    assert "HANDFUL_MAX_JOB_S" in found["reason"]


def test_an_unknown_client_has_no_quality(api):
    assert api.get("/clients/nobody/quality").json()["code"] == "unknown_client"


def test_the_python_client_asks_for_the_quality(api):
    with Handful(str(api.base_url)) as handful:
        pairs = [(each["input"], each["label"]) for each in letters("LV", 3)]
        answer = handful.adapt("alice", pairs, quality=True)
        assert handful.quality("alice") == answer["quality"]
