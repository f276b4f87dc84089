"""Requests made from the OpenAPI document: answers are documented, and are what the document says."""

from contextlib import nullcontext

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from service.cards import Catalogue
from service.settings import Settings
from tests.fuzz.judge import FEW

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/safetensors")
def _file(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def document() -> dict:
    catalogue = Catalogue(Settings().models)
    return create_app(Settings(), "redis://localhost", catalogue, nullcontext()).openapi()


OPERATIONS = [operation.ok() for operation in schemathesis.openapi.from_dict(document()).get_all_operations()]
CASES = [(operation, GenerationMode.POSITIVE) for operation in OPERATIONS] + [
    (operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if "client" in operation.label or operation.body
]
IDS = [f"{operation.label} {mode.value}" for operation, mode in CASES]


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=IDS)
def test_every_answer_is_documented(service, operation, mode):
    ask_at_random(service, operation, mode, {"x-api-key": service.headers.get("x-api-key", "")})


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=IDS)
def test_every_answer_without_a_known_key_is_documented(service, operation, mode):
    if "x-api-key" not in service.headers:
        pytest.skip("without keys any key is known")
    ask_at_random(service, operation, mode, {"x-api-key": "unknown"})


def ask_at_random(service, operation: APIOperation, mode: GenerationMode, headers: dict[str, str]) -> None:
    @settings(FEW, max_examples=10)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(base_url=str(service.base_url), headers=headers)
        case.validate_response(answer, checks=CHECKS)

    ask()
