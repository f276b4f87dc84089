"""A new input kind is one class and one line in the registry."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from service.cards import Card
from service.engine import warmup
from service.errors import Unprocessable
from service.inputs import registry
from service.inputs.decoder import Decoder
from service.inputs.drawing import Drawing
from service.inputs.kind import Decoded, InputKind
from service.inputs.limits import Limits
from service.inputs.registry import INPUT_KINDS, CardInput, RequestInput
from service.inputs.vector import Vector
from service.settings import Settings

ABOUT = {"name": "m", "title": "", "algorithm": "", "paper": "", "kind": "classification", "training": {}}


class Morse(InputKind):
    """Dots and dashes."""

    description: ClassVar = "a text of dots and dashes"
    json_schemas: ClassVar = [{"type": "string", "pattern": "^[.-]+$"}]

    type: Literal["morse"] = "morse"
    length: int

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        for one, field in zip(raw, fields, strict=True):
            if not isinstance(one, str) or len(one) != self.length:
                raise Unprocessable(f"{field}: takes {self.length} dots and dashes.", field=field)
        return Decoded(np.array([[sign == "-" for sign in one] for one in raw], dtype=np.float32), [])

    def examples(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 2, (count, self.length)).astype(np.float32)


@pytest.fixture
def morse(monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setitem(registry.INPUT_KINDS._own, "morse", Morse)
    return Card.model_validate(ABOUT | {"input": {"type": "morse", "length": 3}})


def test_a_card_of_a_new_kind_is_read_and_written_with_its_fields(morse):
    assert morse.input == Morse(length=3)
    assert Card.model_validate_json(morse.model_dump_json()) == morse
    assert morse.model_dump()["input"] == {"type": "morse", "length": 3}


def test_a_request_for_a_new_kind_is_decoded_by_it(morse):
    decoded = asyncio.run(Decoder(Settings()).decode(morse.input, ["..-", "---"], ["a", "b"], "acme"))
    assert decoded.array().tolist() == [[0, 0, 1], [1, 1, 1]]
    with pytest.raises(Unprocessable, match="b: takes 3"):
        asyncio.run(Decoder(Settings()).decode(morse.input, ["..-", "--"], ["a", "b"], "acme"))


def test_a_model_of_a_new_kind_is_warmed_up_with_its_examples(morse):
    made = warmup.random_support(morse, 2, 3)
    assert (made.inputs.shape, made.ways) == ((6, 3), 2)


def test_the_description_of_the_api_names_a_new_kind(morse):
    schema = TypeAdapter(RequestInput).json_schema()
    assert "dots and dashes" in schema["description"]
    assert {"type": "string", "pattern": "^[.-]+$"} in schema["anyOf"]
    assert "Morse" in str(TypeAdapter(CardInput).json_schema())


def test_the_description_of_the_api_names_every_kind():
    class Body(BaseModel):
        input: RequestInput

    described = Body.model_json_schema()["properties"]["input"]
    assert all(kind.description in described["description"] for kind in INPUT_KINDS.values())
    assert all(schema in described["anyOf"] for kind in INPUT_KINDS.values() for schema in kind.json_schemas)


@pytest.mark.parametrize("given", [{"type": "smell"}, {}, {"type": "vector"}, None, 3])
def test_a_card_of_an_unknown_kind_is_refused(given):
    with pytest.raises(ValidationError):
        Card.model_validate(ABOUT | {"input": given})


@pytest.mark.parametrize("kind", [Drawing(size=28), Vector(length=3)])
def test_random_examples_have_the_shape_and_type_of_decoded_inputs(kind):
    sent = [[[0, 1], [1, 0]]] if kind.type == "drawing" else [[1, 2, 3]]
    decoded = kind.decode(sent, ["a"], Limits(100)).array()
    made = kind.examples(4, np.random.default_rng(0))
    assert (made.shape[1:], made.dtype) == (decoded.shape[1:], decoded.dtype)
    assert kind.cost(made) == 4


def test_the_input_kinds_need_no_torch():
    code = "import service.inputs.registry, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
