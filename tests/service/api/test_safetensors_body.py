"""A safetensors file carries the same request as JSON."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.service.drawings import draw, letters, png

NAMES = ("L", "V", "Z")
IMAGES = np.stack([np.asarray(draw(name, shift=shift)) for name in NAMES for shift in range(2)])
LABELS = [name for name in NAMES for _ in range(2)]
TYPE = {"content-type": "application/safetensors"}


def file_of(inputs: np.ndarray, **fields: Any) -> bytes:
    header = {
        name: value if name in ("client_id", "model", "mode") else json.dumps(value) for name, value in fields.items()
    }
    return save({"inputs": inputs}, header)


def post(api, path: str, content: bytes):
    return api.post(path, content=content, headers=TYPE)


def probabilities(answer) -> list[dict[str, float]]:
    return [each["probabilities"] for each in answer.json()["predictions"]]


@pytest.mark.parametrize(
    "images", [IMAGES, 255 - IMAGES, (IMAGES / 255).astype(np.float32)], ids=["dark", "light", "0 to 1"]
)
def test_images_as_arrays_give_the_answers_of_the_same_images_in_json(api, images):
    api.post("/adapt", json={"client_id": "json", "support": letters("LVZ")})
    taught = post(api, "/adapt", file_of(images, client_id="binary", labels=LABELS)).json()
    assert (taught["classes"], taught["examples"], taught["model"]) == (list(NAMES), 6, "glyphs")
    expected = probabilities(api.post("/predict", json={"client_id": "json", "inputs": [png("V"), png("Z")]}))
    found = probabilities(post(api, "/predict", file_of(images[[2, 4]], client_id="binary")))
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_vectors_and_all_other_fields_are_carried_too(api):
    x = np.linspace(-4, 4, 5, dtype=np.float32)[:, None]
    fields = {"model": "sinusoid", "client_id": "alice", "ttl_s": 60, "labels": np.sin(x)[:, 0].tolist()}
    taught = post(api, "/adapt", file_of(x, **fields)).json()
    assert (taught["model"], taught["classes"]) == ("sinusoid", None)
    assert taught["expires_at"] is not None
    more = post(api, "/adapt", file_of(x[:2], client_id="alice", mode="append", labels=[0.0, 0.5])).json()
    assert (more["version"], more["examples"]) == (2, 7)
    assert len(post(api, "/predict", file_of(x, client_id="alice")).json()["predictions"]) == 5


def claiming(shape: list[int], data: bytes, dtype: str = "U8") -> bytes:
    """A file with this header and null metadata."""
    header = {"inputs": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}, "__metadata__": None}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_the_format_that_libraries_add_to_the_metadata_is_ignored(api):
    assert post(api, "/adapt", file_of(IMAGES, client_id="alice", labels=LABELS, format="pt")).status_code == 200


def test_labels_of_queries_are_refused_by_their_name(api):
    post(api, "/adapt", file_of(IMAGES, client_id="alice", labels=LABELS)).raise_for_status()
    refusal = post(api, "/predict", file_of(IMAGES, client_id="alice", labels=LABELS)).json()
    assert (refusal["status"], refusal["field"]) == (422, "labels")


GOOD = file_of(IMAGES, client_id="new", labels=LABELS)
BAD = {
    "nothing": (b"", 400, "malformed"),
    "not safetensors": (b"hello, world", 400, "malformed"),
    "a truncated file": (GOOD[:-10], 400, "malformed"),
    "a truncated header": (GOOD[:40], 400, "malformed"),
    "a header of 2**63 bytes": (b"\xff" * 8 + GOOD[8:], 400, "malformed"),
    "JSON": (b'{"client_id": "new"}', 400, "malformed"),
    "no inputs": (save({"images": IMAGES}, {"client_id": "new", "labels": "[]"}), 400, "malformed"),
    "a scalar for inputs": (save({"inputs": np.array(1.0)}, {"client_id": "new", "labels": "[]"}), 400, "malformed"),
    "labels that are no JSON": (save({"inputs": IMAGES}, {"client_id": "new", "labels": "[L"}), 400, "malformed"),
    "too few labels": (file_of(IMAGES, client_id="new", labels=LABELS[1:]), 400, "malformed"),
    "no labels": (file_of(IMAGES, client_id="new"), 422, "invalid"),
    "no metadata": (save({"inputs": IMAGES}), 422, "invalid"),
    "another tensor": (save({"inputs": IMAGES, "more": IMAGES}, {"client_id": "new"}), 400, "malformed"),
    "inputs in the metadata": (file_of(IMAGES, client_id="new", labels=LABELS, support=[]), 400, "malformed"),
    "ten million of nothing": (claiming([10_000_000, 0], b""), 422, "invalid"),
    "a hundred thousand of one number": (claiming([100_000, 1], bytes(100_000)), 422, "invalid"),
    "a type that numpy does not have": (claiming([2, 1], bytes(4), "BF16"), 400, "malformed"),
    "no client": (file_of(IMAGES, labels=LABELS), 422, "invalid"),
    "an odd client": (file_of(IMAGES, client_id="a b", labels=LABELS), 422, "invalid"),
    "an unknown field": (file_of(IMAGES, client_id="new", labels=LABELS, sport=1), 422, "invalid"),
    "an unknown model": (file_of(IMAGES, client_id="new", model="glyphz", labels=LABELS), 404, "unknown_model"),
    "too few ids": (file_of(IMAGES, client_id="new", labels=LABELS, ids=["a"]), 400, "malformed"),
    "an id that is no name": (file_of(IMAGES, client_id="new", labels=LABELS, ids=["a b"] * 6), 422, "invalid"),
    "no images": (file_of(IMAGES[:0], client_id="new", labels=[]), 422, "invalid"),
    "images without pixels": (file_of(IMAGES[:, :0], client_id="new", labels=LABELS), 422, "invalid"),
    "coloured images": (file_of(np.stack([IMAGES] * 3, -1), client_id="new", labels=LABELS), 422, "invalid"),
    "NaN": (file_of(np.full((6, 4, 4), np.nan), client_id="new", labels=LABELS), 422, "invalid"),
    "booleans": (file_of(IMAGES > 0, client_id="new", labels=LABELS), 422, "invalid"),
    "complex numbers": (file_of((IMAGES * 1j).astype(np.complex64), client_id="new", labels=LABELS), 422, "invalid"),
    "vectors for an image model": (file_of(IMAGES[:, 0], client_id="new", labels=LABELS), 422, "invalid"),
    "images for a vector model": (file_of(IMAGES, client_id="new", model="sinusoid", labels=[1.0] * 6), 422, "invalid"),
    "half precision": (GOOD.replace(b'"U8"', b'"F8"'), 400, "malformed"),
}


@pytest.mark.parametrize(("content", "status", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_and_changes_nothing(api, redis, content, status, code):
    answer = post(api, "/adapt", content)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert {*redis.keys("*")} <= {b"handful:{default}:days"}  # requests by day
