"""Bodies at random: JSON that is nearly a request, safetensors files that are nearly whole."""

import json
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from tests.fuzz.judge import FEW, as_json, check
from tests.service.drawings import letters, png

GOOD = letters("LV", 1)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
inputs = st.recursive(scalars | st.just(png("L")), lambda inner: st.lists(inner, max_size=5), max_leaves=20)
labels = st.sampled_from(["a", "b", 1, 2]) | inputs
examples = st.lists(
    st.fixed_dictionaries({"input": inputs, "label": labels}) | inputs | st.sampled_from(GOOD), max_size=6
)
names = st.sampled_from(["alice", "bob", "new"]) | scalars
models = st.sampled_from(["glyphs", "glyphs-maml", "sinusoid"]) | scalars
adapts = st.fixed_dictionaries(
    {"client_id": names, "support": examples | scalars},
    optional={
        "model": models,
        "mode": st.sampled_from(["replace", "append"]) | scalars,
        "ttl_s": st.integers(1, 100) | scalars,
        "other": inputs,
    },
)
predicts = st.fixed_dictionaries(
    {"client_id": names, "inputs": st.lists(inputs, max_size=6) | scalars}, optional={"top_k": scalars, "other": inputs}
)
kinds = st.sampled_from(
    ["application/json", "application/json; charset=utf-16", "application/problem+json", "", "text/x"]
)


def post(service, path: str, body: bytes, kind: str = "application/json") -> None:
    check(service.post(path, content=body, headers={"content-type": kind}))


@FEW
@given(adapts, kinds)
def test_almost_valid_adapts_get_a_valid_answer(service, body, kind):
    post(service, "/adapt", as_json(body), kind)


@FEW
@given(predicts, kinds)
def test_json_that_is_nearly_a_predict(service, body, kind):
    post(service, "/predict", as_json(body), kind)


@FEW
@given(st.sampled_from(["/adapt", "/predict"]), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_that_are_no_json(service, path, body):
    post(service, path, body)


@FEW
@given(st.data())
def test_json_that_is_cut_or_changed(service, data):
    body = bytearray(as_json({"client_id": "alice", "support": GOOD}))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    post(service, "/adapt", bytes(body[: data.draw(st.integers(0, len(body)))]))


types = st.sampled_from(["BOOL", "U8", "I8", "I64", "F16", "BF16", "F32", "F64", "F8_E4M3", "C64", "U8 ", ""])
sizes = st.integers(0, 6) | st.sampled_from([2**31, 2**63, 10**7, -1])
tensors = st.fixed_dictionaries(
    {
        "dtype": types,
        "shape": st.lists(sizes, max_size=4),
        "data_offsets": st.tuples(st.integers(-1, 40), st.integers(-1, 40)) | st.just((0, 32)),
    }
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "inputs": tensors | scalars,
        "more": tensors,
        "__metadata__": st.dictionaries(
            st.sampled_from(["client_id", "labels", "model", "support", "top_k", "x"]), st.text(max_size=10), max_size=4
        )
        | scalars,
    },
)


def file_of(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@FEW
@given(st.sampled_from(["/adapt", "/predict"]), headers, st.binary(max_size=64) | st.just(bytes(32)))
def test_files_with_odd_headers(service, path, header, data):
    post(service, path, file_of(header, data), "application/safetensors")


@FEW
@given(st.data())
def test_cut_or_changed_files_get_a_valid_answer(service, data):
    array = np.zeros((2, 8, 8), np.uint8)
    body = bytearray(save({"inputs": array}, {"client_id": "alice", "labels": '["a", "b"]'}))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    post(service, "/adapt", bytes(body[: data.draw(st.integers(0, len(body)))]), "application/safetensors")


@FEW
@given(
    st.sampled_from(["U1", "f2", "f4", "f8", "i1", "u8", "b1", "c8"]), st.lists(st.integers(0, 5), max_size=4), labels
)
def test_arrays_of_all_types_and_shapes(service, kind, shape, label):
    kind = "u1" if kind == "U1" else kind
    metadata = {"client_id": "array", "labels": json.dumps([label, "other"])}
    body = save(
        {"inputs": np.zeros(shape, kind)}, {k: v.encode("utf-8", "replace").decode() for k, v in metadata.items()}
    )
    post(service, "/adapt", body, "application/safetensors")
