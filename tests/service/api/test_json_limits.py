"""Bodies that are cheap to send and expensive to parse are refused before they are parsed."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from service.api import parsing
from service.errors import Unprocessable
from service.inputs.json_limits import JsonLimits, check_structure, limits_for

LABELS = [0, 1]
ARRAY = np.zeros((2, 4, 4), np.uint8)


def safetensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def many(n: int, item: str, joined: str = ",") -> bytes:
    return joined.join(item % i for i in range(n)).encode()


EXPENSIVE = {
    "two million names": b"{" + many(2_000_000, '"%d":1') + b"}",
    "too many numbers": b'{"client_id":"a","inputs":[' + b"0," * 1_600_001 + b"0]}",
    "a million lists": b'{"client_id":"a","inputs":[' + b"[]," * 1_000_000 + b"[]]}",
    "nested objects": b'{"client_id":"a","inputs":[' + b"{}," * 1_000_000 + b"{}]}",
    "many strings": b'{"client_id":"a","inputs":[' + b'"",' * 1_000_000 + b'""]}',
}
TENSOR = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
EXPENSIVE_FILES = {
    "a hundred thousand names in the metadata": safetensors(
        {"inputs": TENSOR, "__metadata__": {str(i): "" for i in range(100_000)}}
    ),
    "a million names in the metadata": safetensors({"__metadata__": {str(i): "" for i in range(1_000_000)}}),
    "ten thousand tensors": safetensors({str(i): TENSOR for i in range(10_000)}),
    "a large header": safetensors({"__metadata__": {"labels": " " * 5_000_000}}),
    "labels of many lists": save({"inputs": ARRAY}, {"labels": "[" + "[]," * 700_000 + "[]]"}),
    "a field of many names": save(
        {"inputs": ARRAY}, {"labels": "[]", "ttl_s": json.dumps(dict.fromkeys(map(str, range(100_000))))}
    ),
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_json_is_refused_without_being_parsed(monkeypatch, name):
    monkeypatch.setattr(parsing, "_loaded", None)
    with pytest.raises(Unprocessable, match="the limit is"):
        parsing.parse_json(EXPENSIVE[name], "inputs", 1000)


@pytest.mark.parametrize("name", EXPENSIVE_FILES)
def test_an_expensive_file_is_refused(name):
    with pytest.raises(Unprocessable, match="the limit is"):
        parsing.parse_safetensors(EXPENSIVE_FILES[name], "support", 2000)


def test_ten_million_inputs_of_nothing_are_refused_before_a_list_is_made_of_them():
    empty = safetensors({"inputs": TENSOR | {"shape": [10_000_000, 0]}})
    with pytest.raises(Unprocessable, match="the limit is 1000"):
        parsing.parse_safetensors(empty, "inputs", 1000)


def test_the_largest_ordinary_requests_are_parsed():
    drawing = [[0] * 28] * 28
    body = orjson.dumps({"client_id": "a", "support": [{"input": drawing, "label": "L"}] * 2000})
    assert len(parsing.parse_json(body, "support", 2000)["support"]) == 2000
    text = 'She said: "a, b, [c], {d}: e\\f", and more. ' * 20
    body = orjson.dumps({"client_id": "a", "support": [{"input": text, "label": text[:200]}] * 2000})
    assert len(parsing.parse_json(body, "support", 2000)["support"]) == 2000
    labels = json.dumps([text[:200]] * 2000)
    file = save({"inputs": np.zeros((2000, 2), np.float32)}, {"client_id": "a", "labels": labels})
    assert len(parsing.parse_safetensors(file, "support", 2000)["support"]) == 2000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def counted(value) -> tuple[int, int, int]:
    """Fields, commas that separate values, and lists and objects."""
    if not isinstance(value, list | dict):
        return 0, 0, 0
    inner = [counted(each) for each in (value.values() if isinstance(value, dict) else value)]
    fields, commas, lists = (sum(column) for column in zip(*inner, strict=True)) if inner else (0, 0, 0)
    return fields + len(value) * isinstance(value, dict), commas + max(0, len(value) - 1), lists + 1


@given(values, st.booleans())
def test_the_counts_equal_the_values_that_a_parser_makes(value, ascii_only):
    fields, commas, lists = counted(value)
    document = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    check_structure(document, JsonLimits(max(fields, 100), commas, lists))
    for less in (JsonLimits(fields - 1), JsonLimits(10**9, commas - 1), JsonLimits(10**9, lists=lists - 1)):
        if min(less) >= 0:
            with pytest.raises(Unprocessable):
                check_structure(document, less)


def test_limits_grow_with_the_elements_that_are_allowed():
    assert limits_for(4000).fields > limits_for(2000).fields > 2000 * 2
