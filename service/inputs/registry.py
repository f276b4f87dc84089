"""The input kinds, by the `type` in a card."""

from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from models.registry import Registry
from service.inputs.drawing import Drawing
from service.inputs.graph import Graph
from service.inputs.kind import InputKind
from service.inputs.molecule import Molecule
from service.inputs.photo import Photo
from service.inputs.record import Record
from service.inputs.table import Table
from service.inputs.text import Text
from service.inputs.vector import Vector

INPUT_KINDS: Registry[type[InputKind]] = Registry(
    "handful.inputs",
    {
        "drawing": Drawing,
        "graph": Graph,
        "molecule": Molecule,
        "photo": Photo,
        "record": Record,
        "table": Table,
        "text": Text,
        "vector": Vector,
    },
)


def input_kind(fields: Any) -> Any:
    """The input kind of the `input` of a card. Raises ValueError, ValidationError."""
    if not isinstance(fields, dict):
        return fields
    name = str(fields.get("type"))
    if name not in INPUT_KINDS:
        raise ValueError(f"unknown input kind {name!r}; known are {', '.join(INPUT_KINDS)}")
    return INPUT_KINDS[name].model_validate(fields)


class _OfCard:
    """Adds the registered kinds to the schema of a card."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [kind.model_json_schema() for kind in INPUT_KINDS.values()]}


class _OfRequest:
    """Adds the inputs of all registered kinds to the schema of a request."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds = list(INPUT_KINDS.values())
        description = f"What the model's card says: {'; or '.join(kind.description for kind in kinds)}."
        return {"description": description, "anyOf": _distinct([each for kind in kinds for each in kind.json_schemas])}


CardInput = Annotated[SerializeAsAny[InputKind], BeforeValidator(input_kind), _OfCard]
"""The `input` of a card."""
RequestInput = Annotated[Any, _OfRequest]
"""An input of a request. Its kind depends on the model."""


def _distinct(schemas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [schema for i, schema in enumerate(schemas) if schema not in schemas[:i]]
