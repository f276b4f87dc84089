"""The input kinds by the `type` that a card gives."""

from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from models.registry import Registry
from service.inputs.drawing import Drawing
from service.inputs.kind import InputKind
from service.inputs.photo import Photo
from service.inputs.text import Text
from service.inputs.vector import Vector

INPUT_KINDS: Registry[type[InputKind]] = Registry(
    "handful.inputs", {"drawing": Drawing, "photo": Photo, "text": Text, "vector": Vector}
)

OLD_NAMES = {"image": "drawing"}
"""Types that cards used to give."""


def input_kind(fields: Any) -> Any:
    """The input kind that the `input` of a card names. Raises ValueError, ValidationError."""
    if not isinstance(fields, dict):
        return fields
    given = str(fields.get("type"))
    name: str = OLD_NAMES.get(given, given)
    if name not in INPUT_KINDS:
        raise ValueError(f"no input kind is called {name!r}; there are {', '.join(INPUT_KINDS)}")
    return INPUT_KINDS[name].model_validate(fields | {"type": name})


class _OfCard:
    """Shows the kinds that are registered in the schema of a card."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [kind.model_json_schema() for kind in INPUT_KINDS.values()]}


class _OfRequest:
    """Shows what clients may send of each kind that is registered."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds = list(INPUT_KINDS.values())
        description = f"What the model's card says: {'; or '.join(kind.description for kind in kinds)}."
        return {"description": description, "anyOf": _distinct([each for kind in kinds for each in kind.json_schemas])}


CardInput = Annotated[SerializeAsAny[InputKind], BeforeValidator(input_kind), _OfCard]
"""The `input` of a card."""
RequestInput = Annotated[Any, _OfRequest]
"""An input of a request, before it is known which model it is for."""


def _distinct(schemas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [schema for i, schema in enumerate(schemas) if schema not in schemas[:i]]
