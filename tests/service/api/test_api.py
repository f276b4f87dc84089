"""Adapt, predict, show and forget over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from models import checkpoint
from models.learner import Support
from tests.service.drawings import ink, letters, png, wave
from tests.service.zoo import TEMPERATURE


def adapt(api, client_id="alice", support=None, **options):
    return api.post("/adapt", json={"client_id": client_id, "support": support or letters("LVZ"), **options})


def predict(api, inputs, client_id="alice"):
    return api.post("/predict", json={"client_id": client_id, "inputs": inputs})


[DRAWN] = letters("H", 1)


def test_adapt_answers_with_classes_version_and_sizes(api):
    answer = adapt(api)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json()
    assert body.pop("timings_ms").keys() == {"decode", "adapt", "store"}
    assert body == {
        "client_id": "alice",
        "model": "glyphs",
        "version": 1,
        "classes": ["L", "V", "Z"],
        "examples": 6,
        "ids": [example["id"] for example in api.get("/clients/alice/examples").json()["examples"]],
        "state_bytes": 3 * 64 * 4,
        "expires_at": None,
    }


def test_predict_answers_each_input_in_order(api):
    adapt(api)
    body = predict(api, [png("Z"), png("L"), png("V", 1)]).json()
    assert (body["client_id"], body["model"], body["version"]) == ("alice", "glyphs", 1)
    assert [each["label"] for each in body["predictions"]] == ["Z", "L", "V"]


def test_probabilities_are_of_every_class_and_sum_to_one(api):
    adapt(api)
    [one] = predict(api, [png("V")]).json()["predictions"]
    assert one["probabilities"].keys() == {"L", "V", "Z"}
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert one["probability"] == max(one["probabilities"].values()) == one["probabilities"]["V"]


def test_probabilities_are_the_learners_at_the_temperature_of_the_card(api, zoo):
    """Told from the logits themselves: the log of two probabilities' ratio is the logits' difference over it."""
    drawings = {letter: ink(letter) for letter in "LVZ"}
    support = [{"input": (255 * drawing).tolist(), "label": letter} for letter, drawing in drawings.items()]
    adapt(api, support=support)
    [one] = predict(api, [(255 * ink("N")).tolist()]).json()["predictions"]

    learner = checkpoint.load(zoo / "glyphs.safetensors")
    inputs, asked = (torch.tensor(np.stack(each)).float()[:, None] for each in (list(drawings.values()), [ink("N")]))
    support = Support(inputs, torch.arange(3), torch.ones(3, dtype=torch.bool), 3)
    expected = (learner.answer(support, asked)[0] / TEMPERATURE).softmax(-1).tolist()
    assert list(one["probabilities"].values()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("labels", [[7, -3], ["7", "-3"], ["ä b", "東"], [2**53 - 1, 0]])
def test_labels_come_back_as_they_were_sent(api, labels):
    support = [{"input": png(letter), "label": label} for letter, label in zip("LV", labels, strict=True)]
    assert adapt(api, support=support).json()["classes"] == sorted(labels)
    predictions = predict(api, [png("L"), png("V")]).json()["predictions"]
    assert [each["label"] for each in predictions] == labels
    assert predictions[0]["probabilities"].keys() == {str(label) for label in labels}
    assert api.get("/clients/alice").json()["classes"] == sorted(labels)


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml"])
def test_the_order_of_examples_does_not_change_answers(api, model):
    support = letters("LVZ")
    adapt(api, "alice", support, model=model)
    adapt(api, "bob", support[::-1], model=model)
    alice, bob = (predict(api, [png("N")], who).json()["predictions"][0] for who in ("alice", "bob"))
    assert alice["probabilities"] == pytest.approx(bob["probabilities"], abs=1e-4)


def test_a_regression_gives_the_values_of_the_learner(api, zoo):
    support, asked = wave(7), [0.5, -3]
    assert adapt(api, support=support, model="sinusoid").json()["classes"] is None
    values = [each["value"] for each in predict(api, asked).json()["predictions"]]

    learner = checkpoint.load(zoo / "sinusoid.safetensors")
    inputs, targets = (torch.tensor([[each[name]] for each in support]) for name in ("input", "label"))
    learned = Support(inputs, targets, torch.ones(7, dtype=torch.bool), 0)
    answers = learner.answer(learned, torch.tensor(asked)[:, None])
    assert values == pytest.approx(answers[:, 0].tolist(), abs=1e-4)


def test_a_second_adapt_replaces_the_first_and_counts_versions(api):
    adapt(api)
    assert adapt(api, support=letters("NO")).json()["version"] == 2
    body = predict(api, [png("N")]).json()
    assert (body["version"], body["predictions"][0]["probabilities"].keys()) == (2, {"N", "O"})


@pytest.mark.parametrize(("model", "whole"), [("glyphs", letters("LVZ", 3)), ("sinusoid", wave(6))])
def test_append_gives_the_model_of_all_examples(api, model, whole):
    adapt(api, "bob", whole, model=model)
    adapt(api, "alice", whole[:4], model=model)
    body = adapt(api, "alice", whole[4:], mode="append").json()
    assert (body["version"], body["examples"], body["model"]) == (2, len(whole), model)
    asked = [png("N"), png("V")] if model == "glyphs" else [0.3, 2]
    alice, bob = (predict(api, asked, who).json()["predictions"] for who in ("alice", "bob"))
    for one, other in zip(alice, bob, strict=True):
        numbers = one.get("probabilities", one), other.get("probabilities", other)
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)


def test_concurrent_appends_of_one_client_all_succeed(api):
    adapt(api, support=letters("LV"))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda n: adapt(api, support=[DRAWN | {"id": f"h-{n}"}], mode="append"), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.json()["examples"] for answer in answers) == len(letters("LV")) + 20


def test_append_can_add_a_class(api):
    adapt(api, support=letters("LV"))
    assert adapt(api, support=letters("H"), mode="append").json()["classes"] == ["H", "L", "V"]
    assert predict(api, [png("H")]).json()["predictions"][0]["label"] == "H"


def test_append_keeps_the_expiry_of_a_client(api):
    expires_at = adapt(api, support=letters("LV"), ttl_s=60).json()["expires_at"]
    assert adapt(api, support=letters("H"), mode="append").json()["expires_at"] == expires_at


def test_get_shows_a_client(api):
    before, minute = datetime.now(UTC), timedelta(seconds=60)
    adapt(api, ttl_s=60)
    after, body = datetime.now(UTC), api.get("/clients/alice").json()
    created, updated, expires = (
        datetime.fromisoformat(body.pop(f"{name}_at")) for name in ("created", "updated", "expires")
    )
    assert before <= created == updated <= after
    assert before + minute <= expires <= after + minute
    known = {"client_id": "alice", "model": "glyphs", "version": 1, "classes": ["L", "V", "Z"], "examples": 6}
    assert body == known


def test_a_forgotten_client_is_unknown_and_starts_at_version_1(api, redis):
    adapt(api, model="glyphs-maml")
    adapt(api)
    answer = api.delete("/clients/alice")
    assert (answer.status_code, answer.content) == (204, b"")
    assert {*redis.keys("*")} <= {b"handful:{default}:days"}  # requests by day
    statuses = [call.status_code for call in (predict(api, [png("L")]), api.get("/clients/alice"))]
    assert statuses == [404, 404]
    assert api.delete("/clients/alice").json()["code"] == "unknown_client"
    assert adapt(api).json()["version"] == 1


def test_adapting_a_client_does_not_change_another(api):
    adapt(api, "alice", letters("LV"))
    before = predict(api, [png("L")], "alice").json()["predictions"]
    adapt(api, "bob", letters("VL")[::-1] + letters("ZNO"))
    api.delete("/clients/bob")
    assert predict(api, [png("L")], "alice").json()["predictions"] == before
