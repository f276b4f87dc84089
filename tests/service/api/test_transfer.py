"""Clients as files: what is exported is imported, and what is damaged is refused."""

import json
import random

import numpy as np
import pytest
from safetensors.numpy import load, save

from service.api.parsing import parse_client_file
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.keys import inputs_key
from service.store.records import ClientKey
from service.use_cases import client_file
from tests.service.drawings import letters, png, wave
from tests.service.serving import serving, working
from tests.service.zoo import make_zoo

FILE = {"content-type": "application/safetensors"}


def adapt(api, support, who="alice", **fields):
    body = {"client_id": who, "support": support} | fields
    return api.post("/adapt", json=body).raise_for_status().json()


def predictions(api, who="alice") -> list[dict]:
    body = {"client_id": who, "inputs": [png("V"), png("L")]}
    return api.post("/predict", json=body).raise_for_status().json()["predictions"]


def exported(api, who="alice", **query) -> bytes:
    return api.get(f"/clients/{who}/export", params=query).raise_for_status().content


def load_file(api, file, who="bob", headers=(), **query):
    return api.post(f"/clients/{who}/import", content=file, headers=FILE | dict(headers), params=query)


def examples(api, who) -> list[dict]:
    return api.get(f"/clients/{who}/examples", params={"inputs": True}).raise_for_status().json()["examples"]


def test_an_imported_client_has_the_same_examples_and_answers(api):
    adapt(api, letters("LVZ"))
    answer = load_file(api, exported(api))
    assert (answer.status_code, answer.json()["version"], answer.json()["classes"]) == (200, 1, ["L", "V", "Z"])
    assert examples(api, "bob") == examples(api, "alice")
    for one, other in zip(predictions(api, "bob"), predictions(api), strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_a_regression_is_exported_too(api):
    adapt(api, wave(), model="sinusoid")
    assert load_file(api, exported(api)).json()["classes"] is None
    assert examples(api, "bob") == examples(api, "alice")


def test_a_client_without_examples_is_exported_too(api):
    adapt(api, [])
    assert load_file(api, exported(api)).json()["examples"] == 0


def test_an_earlier_version_is_exported_on_demand(api):
    adapt(api, letters("LV"))
    adapt(api, letters("Z"), mode="append")
    assert load_file(api, exported(api, version=1)).json()["classes"] == ["L", "V"]


def test_the_header_says_what_the_file_holds(api):
    adapt(api, [each | {"id": f"e{i}"} for i, each in enumerate(letters("LV"))])
    file = exported(api)
    header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])["__metadata__"]
    assert (header["client_id"], header["model"], json.loads(header["file"])) == ("alice", "glyphs", "handful-client-1")
    assert (json.loads(header["classes"]), json.loads(header["ids"])) == (["L", "V"], ["e0", "e1", "e2", "e3"])
    assert len(json.loads(header["checkpoint"])) == 16
    assert load(file)["inputs"].shape == (4, 1, 28, 28)


def test_a_damaged_file_is_refused_and_changes_nothing(api):
    adapt(api, letters("LV"))
    file, chance = exported(api), random.Random(0)
    for _ in range(150):
        damaged = bytearray(file)
        damaged[chance.randrange(len(file))] ^= 1 << chance.randrange(8)
        answer = load_file(api, bytes(damaged))
        assert answer.status_code in (400, 422), answer.text
    for length in chance.sample(range(len(file)), 50):
        assert load_file(api, file[:length]).status_code in (400, 422)
    assert api.get("/clients/bob").status_code == 404


@pytest.mark.parametrize("file", [save({}), b"", b"{}"])
def test_a_file_of_something_else_is_refused(api, file):
    assert load_file(api, file).status_code in (400, 422)


def test_a_file_for_a_model_that_is_not_served_is_refused(api, settings, worker, tmp_path):
    adapt(api, letters("LV"))
    folder = make_zoo(tmp_path / "few")
    (folder / "glyphs.json").unlink()
    (folder / "glyphs.safetensors").unlink()
    few = Settings(models=folder, redis_url=settings.redis_url, default_model="sinusoid")
    with working(few) as other, serving(few, other) as elsewhere:
        answer = load_file(elsewhere, exported(api))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")


def test_a_client_of_another_checkpoint_is_adapted_again(api, settings, tmp_path):
    adapt(api, letters("LV"))
    file = exported(api)
    newer = settings.model_copy(update={"models": make_zoo(tmp_path / "newer", seed=1)})
    with working(newer) as worker, serving(newer, worker) as renewed:
        assert load_file(renewed, file).status_code == 200
        adapt(renewed, letters("LV"), "other")
        for one, other in zip(predictions(renewed, "bob"), predictions(renewed, "other"), strict=True):
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_an_import_replaces_or_appends(api):
    adapt(api, letters("LV"))
    adapt(api, letters("Z"), "bob")
    file = exported(api)
    assert load_file(api, file, mode="append").json()["classes"] == ["L", "V", "Z"]
    again = load_file(api, file, mode="append").json()
    assert (again["examples"], again["version"]) == (6, 3)
    assert load_file(api, file).json()["classes"] == ["L", "V"]
    assert load_file(api, file, mode="other").json()["field"] == "mode"
    assert load_file(api, file, "nobody", mode="append").status_code == 404


def test_an_import_is_refused_after_another_change(api):
    adapt(api, letters("LV"))
    adapt(api, letters("Z"), "bob")
    tag = api.get("/clients/bob").headers["etag"]
    adapt(api, letters("N"), "bob")
    for mode in ("replace", "append"):
        lost = load_file(api, exported(api), headers={"If-Match": tag}, mode=mode)
        assert (lost.status_code, lost.json()["code"]) == (412, "precondition_failed")


def made(changes: dict, tensors: dict | None = None, base: bytes = b"") -> bytes:
    """The file of a client with other fields or tensors, and a digest that fits."""
    fields, whole = parse_client_file(base, 100)
    whole |= tensors or {}
    fields = {name: value for name, value in fields.items() if name != "digest"} | changes
    fields["digest"] = client_file._digest(fields, whole)
    return save(whole, {name: client_file._text(name, value) for name, value in fields.items()})


WRONG = {
    "a negative target": ({}, {"targets": np.array([-2, 0, 1, 1])}),
    "a target without a class": ({}, {"targets": np.array([0, 0, 1, 2])}),
    "targets that are numbers": ({}, {"targets": np.zeros(4, np.float32)}),
    "too few targets": ({}, {"targets": np.array([0, 1])}),
    "inputs of another shape": (
        {"form": {"dtype": "uint8", "shape": [3, 28, 28]}},
        {"inputs": np.zeros((4, 3, 28, 28), "u1")},
    ),
    "inputs of another form": ({}, {"inputs": np.zeros((4, 1, 28, 28), np.float32)}),
    "inputs without examples": ({}, {"inputs": np.zeros((4, 0), np.uint8)}),
    "one id twice": ({"ids": ["a", "a", "b", "c"]}, {}),
    "an id that is no name": ({"ids": ["a b", "a", "b", "c"]}, {}),
    "too few ids": ({"ids": ["a"]}, {}),
    "a time that is none": ({"times": ["now"] * 4}, {}),
    "a class that is no label": ({"classes": ["L", " V"]}, {}),
    "classes of two kinds": ({"classes": ["L", 1]}, {}),
    "no classes": ({"classes": None}, {}),
    "another kind of input": ({"input": {"type": "vector", "length": 1}}, {}),
    "another format": ({"file": "handful-client-9"}, {}),
    "a field of another type": ({"label_names": [1]}, {}),
}


@pytest.mark.parametrize(("changes", "tensors"), WRONG.values(), ids=WRONG)
def test_a_file_that_contradicts_itself_is_refused(api, changes, tensors):
    adapt(api, letters("LV"))
    answer = load_file(api, made(changes, tensors, exported(api)))
    assert answer.status_code in (409, 422), answer.text
    assert api.get("/clients/bob").status_code == 404


def test_a_made_file_is_accepted(api):
    adapt(api, letters("LV"))
    assert load_file(api, made({"ids": list("abcd")}, {}, exported(api))).json()["ids"] == list("abcd")


def test_json_is_no_file(api):
    assert api.post("/clients/bob/import", json={}).status_code == 415
    other = api.post("/clients/bob/import", content=b"", headers={"content-type": "application/octet-stream"})
    assert other.json()["detail"] == "Send application/safetensors, not application/octet-stream."


def test_a_file_that_would_never_fit_into_memory_is_refused_before_its_examples_are_read(settings, worker, redis):
    budget = {"max_body_bytes": 2**15, "max_body_bytes_in_flight": 2**16}  # an example has 784 bytes
    with serving(settings.model_copy(update=budget), worker) as api:
        adapt(api, [])
        for _ in range(10):
            adapt(api, letters("LVZ") * 4, mode="append", keep_duplicates=True)
        redis.delete(inputs_key(ClientKey("default", "alice")))  # reading them would be a corrupt record
        refused = api.get("/clients/alice/export")
    assert (refused.status_code, refused.json()["code"]) == (422, "answer_too_large")


def test_a_file_of_too_many_examples_is_refused_before_they_are_decoded(settings, worker, monkeypatch):
    async def decoded(*_):
        raise AssertionError("the inputs were decoded")

    with serving(settings, worker) as api:
        adapt(api, wave(), model="sinusoid")
        file = exported(api)
    monkeypatch.setattr(Decoder, "decode", decoded)
    with serving(settings.model_copy(update={"max_examples": 2}), worker) as api:
        refused = load_file(api, file)
    assert refused.status_code == 422
    assert "limit" in refused.json()["detail"]
