"""The fields of a JSON body as query parameters, for bodies that hold only inputs."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json
from starlette.datastructures import QueryParams

from service.errors import Unprocessable
from service.inputs.json_limits import FIELDS

TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
TYPES |= {list: "array", dict: "object"}


def options_of(query: QueryParams, model: type[BaseModel], field: str) -> dict[str, Any]:
    """The fields of `model` that a query has. Each value is JSON, or a text where the field takes texts.

    Args:
        query: The query.
        model: What the request is read as.
        field: The field that the body holds.

    Raises:
        Unprocessable: A parameter is there twice, there are too many, or one is for the body.
    """
    if field in query:
        raise Unprocessable(f"{field}: the body holds it. Leave it out of the query.", field=field)
    items = query.multi_items()
    if len(items) > FIELDS:
        raise Unprocessable(f"The query has {len(items)} parameters; the limit is {FIELDS}.")
    if twice := [name for name, _ in items if len(query.getlist(name)) > 1]:
        raise Unprocessable(f"{twice[0][:80]}: it is in the query more than once.", field=twice[0][:80])
    return {name: _value(text, _types(model).get(name, frozenset())) for name, text in items}


def parameters_of(model: type[BaseModel], *without: str) -> list[dict[str, Any]]:
    """The same, for OpenAPI."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return [
        {"name": name, "in": "query", "required": False, "schema": {k: v for k, v in field.items() if k != "title"}}
        for name, field in schema["properties"].items()
        if name not in without
    ]


def _value(text: str, types: frozenset[str]) -> Any:
    try:
        value = from_json(text)
    except ValueError:
        return text
    kind = TYPES[type(value)]
    return value if kind in types or (kind == "integer" and "number" in types) else text


@lru_cache
def _types(model: type[BaseModel]) -> dict[str, frozenset[str]]:
    """The JSON types that each field takes."""
    properties = model.model_json_schema()["properties"]
    return {name: frozenset(_of(schema)) for name, schema in properties.items()}


def _of(schema: dict[str, Any]) -> set[str]:
    several = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    own = {schema["type"]} if isinstance(schema.get("type"), str) else set()
    return own.union(*(_of(each) for each in several))
