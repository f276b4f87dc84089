"""The contract of the API: names, tags and examples of its calls."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest

from scripts.reference import openapi_document
from tests.service.drawings import letters, wave
from tests.service.zoo import MODELS

DOCUMENT = openapi_document()
ERROR_TYPES = {"application/problem+json", "application/json"}


class Call(NamedTuple):
    """An operation of the contract."""

    method: str
    path: str
    operation: dict[str, Any]


CALLS = [
    Call(method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
over_calls = pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")


def test_the_names_of_the_calls_are_unique_and_readable():
    names = [call.operation["operationId"] for call in CALLS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+){0,4}", name)] == []


@over_calls
def test_each_call_has_a_tag_a_summary_and_a_description(call):
    assert len(call.operation["tags"]) == 1
    assert call.operation["summary"]
    assert call.operation["description"]


@over_calls
def test_each_call_documents_its_errors(call):
    errors = {status: answer for status, answer in call.operation["responses"].items() if status >= "400"}
    assert {"400", "403", "431"} <= errors.keys()
    for answer in errors.values():
        assert answer["content"].keys() <= ERROR_TYPES
    if "requestBody" in call.operation:
        assert {"401", "408", "413", "415", "422", "503"} <= errors.keys()


def examples(call: Call) -> Iterator[Any]:
    body = call.operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    schema = DOCUMENT["components"]["schemas"].get(name, {})
    yield from [*schema.get("examples", ()), *([body["example"]] if "example" in body else ())]


FROM_ANSWERS = {"/clients/{client_id}/feedback": "unknown_prediction"}
"""Calls with an id that only an answer gives, and the code of their error for another id."""
SERVED = (None, *MODELS)
WITH_EXAMPLES = [(call, each) for call in CALLS for each in examples(call) if each.get("model") in SERVED]


def test_each_body_in_json_has_an_example():
    bodies = {call.path for call in CALLS if "application/json" in str(call.operation.get("requestBody", {}))}
    assert bodies - {call.path for call, _ in WITH_EXAMPLES} == set()


def of_admin(call: Call) -> bool:
    return call.path.startswith("/admin")


OPEN = [(call, example) for call, example in WITH_EXAMPLES if not of_admin(call)]


@pytest.mark.parametrize(("call", "example"), OPEN, ids=[f"{call.method} {call.path}" for call, _ in OPEN])
def test_the_example_of_a_call_works_as_it_stands(api, call, example):
    """Two clients are there: alice has drawings, bob has a curve. The example fits one of them."""
    alice = api.post("/adapt", json={"client_id": "alice", "support": letters("LVZ")}).raise_for_status().json()
    for amplitude in (1.0, 2.0, 3.0):
        curve = {"client_id": "bob", "model": "sinusoid", "support": wave(amplitude=amplitude)}
        api.post("/adapt", json=curve).raise_for_status()
    values = {
        "client_id": ["alice", "bob"],
        "example": alice["ids"][:1],
        "label": ["L"],
        "model": ["sinusoid"],
        "model_version": ["1"],
    }
    names = re.findall(r"{(\w+)}", call.path)
    paths = [call.path.format(**dict(zip(names, each, strict=True))) for each in product(*map(values.get, names))]
    answers = [api.request(call.method.upper(), path, json=example) for path in paths]
    found = [answer.json().get("code", "success") for answer in answers]
    assert {"success", FROM_ANSWERS.get(call.path)} & set(found), [answer.text for answer in answers]
