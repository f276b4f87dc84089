"""The Open Inference Protocol, as the users of tritonclient call it, and by hand."""

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from models.recipes import RECIPES
from service.api.inference_protocol.schemas import TensorSent
from service.api.inference_protocol.tensors import inputs_of
from service.errors import Unprocessable
from service.settings import Settings
from tests.fuzz.judge import HASHES, KEY
from tests.service.drawings import draw, ink, letters, png, wave
from tests.service.serving import serving, working
from tests.service.uploads import drawing
from tests.service.zoo import make_model

KSERVE_CLIENT = Path(__file__).parents[1] / "kserve_client.py"
ALICE, BOB = {"client_id": "alice"}, {"client_id": "bob"}


@pytest.fixture
def clients(api) -> httpx.Client:
    """alice with drawings, bob with a curve."""
    api.post("/adapt", json=ALICE | {"support": letters("LVZ")}).raise_for_status()
    api.post("/adapt", json=BOB | {"model": "sinusoid", "support": wave()}).raise_for_status()
    return api


@pytest.fixture
def server(clients) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(clients.base_url.netloc.decode()) as client:
        yield client


def tensor(array: np.ndarray, datatype: str, *, binary: bool = True) -> triton.InferInput:
    sent = triton.InferInput("input", array.shape, datatype)
    sent.set_data_from_numpy(array, binary_data=binary)
    return sent


def files(names: str) -> np.ndarray:
    return np.array([drawing(name) for name in names], object)


def predictions(api, client: dict, inputs: list, **fields) -> list[dict]:
    return api.post("/predict", json=client | {"inputs": inputs} | fields).raise_for_status().json()["predictions"]


def infer(api, document: dict, model: str = "glyphs"):
    return api.post(f"/v2/models/{model}/infer", json=document)


def bytes_tensor(*texts: str, **fields) -> dict:
    return {"name": "input", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)} | fields


def test_health_and_metadata(server):
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready("glyphs")
    assert server.is_model_ready("glyphs", "3")
    assert not server.is_model_ready("nothing")
    assert server.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    glyphs = server.get_model_metadata("glyphs")
    assert glyphs["inputs"] == [{"name": "input", "datatype": "BYTES", "shape": [-1]}]
    assert [each["name"] for each in glyphs["outputs"]] == ["label", "probability", "classes", "probabilities"]
    sinusoid = server.get_model_metadata("sinusoid", "1")
    assert sinusoid["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1]}]
    assert sinusoid["outputs"] == [{"name": "value", "datatype": "FP32", "shape": [-1, 1]}]


def test_files_are_answered_as_predict_answers_them(server, clients):
    """tritonclient sends and receives binary tensors by default."""
    found = server.infer("glyphs", [tensor(files("VZ"), "BYTES")], parameters=ALICE, request_id="42")
    expected = predictions(clients, ALICE, [png("V"), png("Z")])
    assert found.get_response()["id"] == "42"
    assert found.get_response()["model_version"] == "1"
    assert [each.decode() for each in found.as_numpy("label")] == [each["label"] for each in expected]
    np.testing.assert_allclose(found.as_numpy("probability"), [each["probability"] for each in expected], rtol=1e-6)
    assert [[name.decode() for name in row] for row in found.as_numpy("classes")] == [["L", "V", "Z"]] * 2
    wanted = [list(each["probabilities"].values()) for each in expected]
    np.testing.assert_allclose(found.as_numpy("probabilities"), wanted, rtol=1e-6)


@pytest.mark.parametrize("sent", [True, False], ids=["binary in", "JSON in"])
@pytest.mark.parametrize("received", [True, False], ids=["binary out", "JSON out"])
def test_numbers_go_in_and_out_in_both_forms(server, clients, sent, received):
    points = np.array([[-1.0], [0.5], [2.0]], np.float32)
    asked = [triton.InferRequestedOutput("value", binary_data=received)]
    found = server.infer("sinusoid", [tensor(points, "FP32", binary=sent)], parameters=BOB, outputs=asked)
    assert found.as_numpy("value").dtype == np.float32
    expected = [[each["value"]] for each in predictions(clients, BOB, points.ravel().tolist())]
    np.testing.assert_allclose(found.as_numpy("value"), expected, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "datatype"), [(np.uint8, "UINT8"), (np.float32, "FP32"), (np.int64, "INT64")])
def test_pixels_are_arrays(server, clients, dtype, datatype):
    pixels = np.stack([ink("L"), ink("V")]).astype(dtype)
    found = server.infer("glyphs", [tensor(pixels, datatype)], parameters=ALICE)
    expected = predictions(clients, ALICE, [ink("L").tolist(), ink("V").tolist()])
    assert [each.decode() for each in found.as_numpy("label")] == [each["label"] for each in expected]


def test_the_options_of_predict_are_parameters(server):
    options = ALICE | {"top_k": 2, "min_probability": 0.99}
    found = server.infer("glyphs", [tensor(files("LV"), "BYTES")], parameters=options)
    assert found.as_numpy("probabilities").shape == (2, 2)
    assert found.as_numpy("unknown").tolist() == [True, True]


def test_the_version_of_the_path_is_that_of_the_client(server, clients):
    points = [tensor(np.array([[1.0]], np.float32), "FP32")]
    first = server.infer("sinusoid", points, parameters=BOB).as_numpy("value")
    changed = BOB | {"model": "sinusoid", "support": wave(amplitude=1.0)}
    assert clients.post("/adapt", json=changed).json()["version"] == 2
    found = server.infer("sinusoid", points, model_version="1", parameters=BOB)
    assert (found.get_response()["model_version"], found.as_numpy("value")) == ("1", first)
    assert server.infer("sinusoid", points, parameters=BOB).as_numpy("value") != first


@pytest.mark.parametrize(
    ("model", "parameters", "status", "message"),
    [
        ("nothing", ALICE, "404", "nothing"),
        ("glyphs", {}, "422", "client_id"),
        ("glyphs", {"client_id": "nobody"}, "404", "nobody"),
        ("sinusoid", ALICE, "409", "The client's model is 'glyphs', not 'sinusoid'"),
        ("glyphs", ALICE | {"shots": 3}, "422", "shots"),
    ],
)
def test_an_error_is_in_the_body_that_the_protocol_defines(server, model, parameters, status, message):
    with pytest.raises(InferenceServerException, match=message) as refusal:
        server.infer(model, [tensor(files("L"), "BYTES")], parameters=parameters)
    assert refusal.value.status() == status


def test_json_by_hand(clients):
    answer = infer(
        clients, {"id": "x", "inputs": [bytes_tensor(png("V"))], "parameters": ALICE, "model_name": "glyphs"}
    )
    found = answer.raise_for_status().json()
    assert answer.headers["content-type"] == "application/json"
    assert (found["id"], found["model_name"], found["model_version"]) == ("x", "glyphs", "1")
    assert [each["name"] for each in found["outputs"]] == ["label", "probability", "classes", "probabilities"]
    assert found["outputs"][0] == {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["V"]}


def test_several_labels_are_said_for_each_class(clients):
    support = [{"input": png(name), "labels": [name, "thin"]} for name in "LV"] + [{"input": png("Z"), "labels": []}]
    clients.post("/adapt", json=ALICE | {"support": support}).raise_for_status()
    document = {"inputs": [bytes_tensor(png("L"), png("Z"))], "parameters": ALICE}
    found = {each["name"]: each for each in infer(clients, document).raise_for_status().json()["outputs"]}
    assert list(found) == ["classes", "probabilities", "has_label"]
    assert found["classes"]["data"][:3] == ["L", "V", "thin"]
    labels = [each["labels"] for each in predictions(clients, ALICE, [png("L"), png("Z")])]
    assert found["has_label"]["shape"] == [2, 3]
    assert found["has_label"]["data"] == [name in own for own in labels for name in ("L", "V", "thin")]


def test_an_answer_has_no_id_unless_the_request_has(clients):
    assert "id" not in infer(clients, {"inputs": [bytes_tensor(png("V"))], "parameters": ALICE}).json()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "object"),
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [bytes_tensor("a", name="other")]}, "there is no input 'other'"),
        ({"inputs": [bytes_tensor("a"), bytes_tensor("b")]}, "inputs"),
        ({"inputs": [bytes_tensor("a", shape=[2])]}, "1 elements"),
        ({"inputs": [bytes_tensor("a", shape=[-1])]}, "shape"),
        ({"inputs": [bytes_tensor("a", shape=[1001])]}, "1001 of them; the limit is 1000"),
        ({"inputs": [bytes_tensor("a", data=[1])]}, "holds texts"),
        ({"inputs": [bytes_tensor("a", datatype="STRING")]}, "datatype"),
        ({"inputs": [bytes_tensor("a", datatype="FP32")]}, "no numbers"),
        ({"inputs": [bytes_tensor("a", datatype="UINT8", data=[300])]}, "cannot hold"),
        ({"inputs": [bytes_tensor("a", parameters={"binary_data_size": 5})]}, "binary_data_size"),
        ({"inputs": [bytes_tensor(png("V"))], "outputs": [{"name": "logits"}]}, "there is no output 'logits'"),
        (
            {"inputs": [bytes_tensor(png("V"))], "outputs": [{"name": "label", "parameters": {"classification": 1}}]},
            "top_k",
        ),
        ({"inputs": [bytes_tensor("not an image")]}, r"input\[0\]: not an image"),
    ],
)
def test_a_malformed_request_is_refused_and_says_why(clients, document, message):
    body = document if isinstance(document, list) else {"parameters": ALICE} | document
    refusal = clients.post("/v2/models/glyphs/infer", json=body)
    assert refusal.status_code == 422
    assert list(refusal.json()) == ["error"]
    assert re.search(message, refusal.json()["error"])


@pytest.mark.parametrize("size", ["x", "-1", "99999", "1"])
def test_a_wrong_header_length_is_refused(clients, size):
    content = json.dumps({"inputs": [bytes_tensor("a")], "parameters": ALICE})
    headers = {"Inference-Header-Content-Length": size}
    refusal = clients.post("/v2/models/glyphs/infer", content=content, headers=headers)
    assert refusal.status_code in (400, 422)
    assert list(refusal.json()) == ["error"]


@pytest.mark.parametrize(
    "binary",
    [b"", b"\1\0\0", b"\5\0\0\0abc", b"\1\0\0\0ab", struct.pack("<I", 2**32 - 1)],
    ids=["empty", "cut length", "cut element", "more", "huge length"],
)
def test_wrong_binary_texts_are_refused(binary):
    with pytest.raises(Unprocessable):
        inputs_of(TensorSent(name="input", shape=[1], datatype="BYTES"), binary, 10)


def test_wrong_binary_numbers_are_refused():
    with pytest.raises(Unprocessable, match="has not 7 bytes"):
        inputs_of(TensorSent(name="input", shape=[1, 2], datatype="FP32"), b"1234567", 10)


def test_nested_and_flat_data_are_the_same():
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        sent = TensorSent(name="input", shape=[2, 2], datatype="FP32", data=data)
        assert np.stack(inputs_of(sent, None, 10)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("path", ["/v2/nowhere", "/v2/models/glyphs/versions/x/ready", "/v2/models/nothing"])
def test_every_error_below_v2_has_its_body(api, path):
    refusal = api.get(path)
    assert refusal.status_code in (404, 422)
    assert list(refusal.json()) == ["error"]


def test_a_foreign_origin_and_a_missing_key_are_refused_in_its_body(settings, worker, clients):
    refusal = clients.post("/v2/models/glyphs/infer", json={}, headers={"origin": "https://evil.example"})
    assert (refusal.status_code, list(refusal.json())) == (403, ["error"])
    with serving(settings.model_copy(update={"api_keys": HASHES}), worker) as api:
        refusal = api.post("/v2/models/glyphs/infer", json={})
        assert (refusal.status_code, list(refusal.json())) == (401, ["error"])
        with triton.InferenceServerClient(api.base_url.netloc.decode()) as client:
            asked = [tensor(files("L"), "BYTES")]
            with pytest.raises(InferenceServerException, match="No client 'alice'"):
                client.infer("glyphs", asked, parameters=ALICE, headers={"X-API-Key": KEY})


def test_a_compressed_request_is_refused(server):
    with pytest.raises(InferenceServerException, match="content encoding gzip"):
        server.infer("glyphs", [tensor(files("L"), "BYTES")], parameters=ALICE, request_compression_algorithm="gzip")
    asked = {"response_compression_algorithm": "gzip", "parameters": ALICE}
    assert server.infer("glyphs", [tensor(files("L"), "BYTES")], **asked).as_numpy("label") == [b"L"]


def test_rows_of_a_table_are_json(tmp_path, redis_url):
    make_model(tmp_path, "tables", RECIPES["tables"])
    settings = Settings(models=tmp_path, redis_url=redis_url, default_model="tables")
    rows = [{"age": age, "plan": plan} for age, plan in ((22, "free"), (35, "pro"), (47, "free"), (51, "pro"))]
    support = [{"input": row, "label": row["plan"]} for row in rows]
    with working(settings) as worker, serving(settings, worker) as api:
        api.post("/adapt", json={"client_id": "gym", "support": support}).raise_for_status()
        with triton.InferenceServerClient(api.base_url.netloc.decode()) as client:
            sent = np.array([json.dumps(row).encode() for row in rows[:2]], object)
            found = client.infer("tables", [tensor(sent, "BYTES")], parameters={"client_id": "gym"})
    assert found.as_numpy("label").tolist() == [b"free", b"pro"]


def test_the_client_of_kserve_gets_the_answers_of_predict(clients, tmp_path):
    """KServe needs older packages than the service: give its Python in KSERVE_PYTHON."""
    python = os.environ.get("KSERVE_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import kserve"], capture_output=True, check=False).returncode:
        pytest.skip("kserve is not installed; KSERVE_PYTHON names a Python that has it")
    draw("L").save(tmp_path / "l.png")
    url = str(clients.base_url).rstrip("/")
    command = [python, str(KSERVE_CLIENT), url, str(tmp_path / "l.png")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    expected = [each["value"] for each in predictions(clients, BOB, [-1, 1])]
    assert found["ready"] == [True] * 3
    assert found["values"] == [pytest.approx(expected, rel=1e-4, abs=1e-6)] * 2
    assert found["label"] == ["L"]
