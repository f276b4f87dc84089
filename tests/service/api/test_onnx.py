"""A client's network as an ONNX file over HTTP: it answers as the service does, without torch."""

import json
import socket

import httpx
import numpy as np
import onnxruntime
import pytest

from service.engine import exports
from service.settings import Settings
from tests.service.drawings import ink, letters, png, wave
from tests.service.endless import Endless
from tests.service.serving import serving, working

pytestmark = pytest.mark.slow


def adapt(api, support, who="alice", **fields):
    body = {"client_id": who, "support": support} | fields
    return api.post("/adapt", json=body).raise_for_status().json()


def answers(api, inputs, who="alice") -> list[dict]:
    return api.post("/predict", json={"client_id": who, "inputs": inputs}).raise_for_status().json()["predictions"]


def session(api, who="alice", **query) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported(api, who, **query).content)


def exported(api, who="alice", **query) -> httpx.Response:
    """An export may take minutes on a busy machine."""
    return api.get(f"/clients/{who}/model.onnx", params=query, timeout=600).raise_for_status()


def metadata(network) -> dict[str, str]:
    return network.get_modelmeta().custom_metadata_map


def drawn(names: str) -> np.ndarray:
    """The letters as the network takes them."""
    return np.stack([255 * ink(name) for name in names])[:, None]


def test_the_file_answers_as_predict_does(api):
    adapt(api, letters("LVZ"))
    found = exported(api)
    assert found.headers["content-disposition"] == 'attachment; filename="alice.onnx"'
    assert found.headers["etag"] == api.get("/clients/alice").headers["etag"]
    network = onnxruntime.InferenceSession(found.content)
    labels = json.loads(metadata(network)["labels"])
    predictions = answers(api, [ink(name).tolist() for name in "LVZI"])
    (probabilities,) = network.run(["probabilities"], {"inputs": drawn("LVZI")})
    for own, prediction in zip(probabilities, predictions, strict=True):
        assert dict(zip(labels, own, strict=True)) == pytest.approx(prediction["probabilities"], abs=1e-4)


def test_the_metadata_say_what_the_file_is(api):
    adapt(api, [{**one, "label": "LV".index(one["label"])} for one in letters("LV")], model="glyphs-maml")
    found = metadata(session(api))
    assert json.loads(found["labels"]) == [0, 1]
    assert (found["format"], found["client_id"], found["model"]) == ("handful-onnx-1", "alice", "glyphs-maml")
    assert (json.loads(found["version"]), json.loads(found["temperature"])) == (1, 0.5)
    assert found["checkpoint"] == api.get("/models/glyphs-maml").json()["checkpoint"]
    assert json.loads(found["preparation"])["shape"] == [1, 28, 28]


def test_a_regression_answers_with_values(api):
    adapt(api, wave(), model="sinusoid")
    (values,) = session(api).run(["values"], {"inputs": np.array([[0.5], [-2.0]], np.float32)})
    assert values[:, 0] == pytest.approx([one["value"] for one in answers(api, [0.5, -2.0])], abs=1e-4)


def test_an_earlier_version_and_several_labels_are_exported(api):
    adapt(api, [{"input": png(name, shift), "labels": [name, "any"]} for name in "LV" for shift in range(2)])
    adapt(api, letters("LV"))
    network = session(api, version=1)
    labels = json.loads(metadata(network)["labels"])
    asked = {"client_id": "alice", "inputs": [ink("L").tolist()], "version": 1}
    shown = api.post("/predict", json=asked).raise_for_status().json()["predictions"][0]["probabilities"]
    (probabilities,) = network.run(None, {"inputs": drawn("L")})
    assert dict(zip(labels, probabilities[0], strict=True)) == pytest.approx(shown, abs=1e-4)


def test_what_is_not_there_is_not_exported(api):
    assert api.get("/clients/nobody/model.onnx").json()["code"] == "unknown_client"
    adapt(api, letters("L"))
    assert api.get("/clients/alice/model.onnx").json()["code"] == "too_few_examples"
    assert api.get("/clients/alice/model.onnx", params={"version": 7}).json()["code"] == "unknown_version"


def test_a_service_without_the_extra_says_so(api, monkeypatch):
    adapt(api, letters("LV"))
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    refused = api.get("/clients/alice/model.onnx")
    assert (refused.status_code, refused.json()["code"]) == (501, "not_exportable")
    assert "handful[onnx]" in refused.json()["detail"]


def test_a_client_that_leaves_ends_its_export(settings, worker, redis):
    redis.flushall()
    engine = Endless(worker, "export")
    with serving(settings, engine) as api:
        adapt(api, letters("LV"))
        with socket.create_connection((api.base_url.host, api.base_url.port)) as connection:
            connection.sendall(b"GET /clients/alice/model.onnx HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert engine.began.wait(60)
        assert engine.cancelled.wait(60)


def test_a_file_without_room_in_memory_is_refused_before_the_work(settings, worker, redis):
    redis.flushall()
    engine = Endless(worker, "export")
    little = {"max_body_bytes": 2**16, "max_body_bytes_in_flight": 2**17}
    with serving(settings.model_copy(update=little), engine) as api:
        adapt(api, letters("LV"))
        refused = api.get("/clients/alice/model.onnx")
    assert (refused.status_code, refused.json()["code"]) == (422, "answer_too_large")
    assert not engine.began.is_set()


def test_an_export_that_takes_too_long_is_ended(zoo, redis_url, redis):
    redis.flushall()
    settings = Settings(models=zoo, redis_url=redis_url, export_s=0.05)
    with working(settings) as worker, serving(settings, worker) as api:
        adapt(api, letters("LV"))
        late = api.get("/clients/alice/model.onnx")
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        assert len(answers(api, [png("L")])) == 1
