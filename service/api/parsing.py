"""The fields of a request, from the bytes of its body: JSON, or a safetensors file.

How many examples or inputs there are is looked at here, before anything is made of each of them.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.numpy import load
from starlette.datastructures import Headers

from service.arrays import Array
from service.errors import BadRequest, Unprocessable, UnsupportedMediaType
from service.inputs.limits import check_count

JSON, SAFETENSORS = "application/json", "application/safetensors"

FIELDS = 32
"""More than any request or example has."""

Parse = Callable[[bytes, str, int], Any]
"""Of a body, the name of the field that is a list, and how long that may be."""


def parser_of(headers: Headers) -> Parse:
    """How to read a body with these headers. Raises UnsupportedMediaType."""
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise UnsupportedMediaType(f"Send the body as it is, not encoded as {encoding[:80]}.")
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind == SAFETENSORS:
        return parse_safetensors
    if kind == JSON or kind.endswith("+json"):
        return parse_json
    raise UnsupportedMediaType(f"Send {JSON} or {SAFETENSORS}, not {kind[:80] or 'something without a type'}.")


def parse_json(body: bytes, field: str, limit: int) -> Any:
    """The fields. Raises BadRequest, Unprocessable."""
    fields = _loaded(body)
    if isinstance(fields, dict):
        _check_sizes(fields, field, limit)
    return fields


def parse_safetensors(body: bytes, field: str, limit: int) -> dict[str, Any]:
    """The fields that the same request has as JSON; each input is a numpy array. Raises BadRequest, Unprocessable."""
    inputs, fields = _tensor(body), _metadata(body)
    check_count(len(inputs), limit, "inputs")
    if inputs.size == 0:
        raise Unprocessable(f"inputs: of shape {inputs.shape}, so there is nothing in them.", field="inputs")
    if field == "inputs":
        return fields | {"inputs": list(inputs)}
    if "labels" not in fields:
        raise Unprocessable(f"labels: the metadata must have them, a JSON list of {len(inputs)}.", field="labels")
    labels = fields.pop("labels")
    if not isinstance(labels, list) or len(labels) != len(inputs):
        raise BadRequest(f"The metadata's `labels` is no list of {len(inputs)}, as many as there are inputs.")
    return fields | {field: [{"input": one, "label": label} for one, label in zip(inputs, labels, strict=True)]}


def _loaded(body: bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    try:
        return from_json(body)  # slower; takes NaN and the like, so that what is wrong with them can be told
    except ValueError as error:
        raise BadRequest(f"The body is not JSON in UTF-8: {error}.") from None


def _check_sizes(fields: dict[str, Any], field: str, limit: int) -> None:
    """Pydantic would make an error of each element and of each name."""
    listed = fields.get(field)
    elements = listed if isinstance(listed, list) else []
    check_count(len(elements), limit, field)
    if any(len(each) > FIELDS for each in (fields, *elements) if isinstance(each, dict)):
        raise Unprocessable(f"There are objects of more than {FIELDS} fields. GET /docs shows which there are.")


def _tensor(body: bytes) -> Array:
    try:
        tensors = load(body)
    except (SafetensorError, ValueError) as error:
        raise BadRequest(f"The body is not a safetensors file: {error}.") from None
    except KeyError as error:
        raise BadRequest(f"A tensor is of a type that numpy does not have: {error}.") from None
    if tensors.keys() != {"inputs"} or tensors["inputs"].ndim == 0:
        raise BadRequest(f"A file has one tensor, `inputs` (n, ...), not {', '.join(tensors)[:80] or 'none'}.")
    return tensors["inputs"]


def _metadata(body: bytes) -> dict[str, Any]:
    header = from_json(body[8 : 8 + int.from_bytes(body[:8], "little")]).get("__metadata__") or {}
    if taken := header.keys() & {"inputs", "support"}:
        raise BadRequest(f"The metadata has {', '.join(sorted(taken))}, which the tensor and `labels` are.")
    return {name: _plain(name, text) for name, text in header.items() if name != "format"}  # some libraries add it


def _plain(name: str, text: str) -> Any:
    """Names are text; all else is JSON."""
    if name in ("client_id", "model", "mode"):
        return text
    try:
        return from_json(text)
    except ValueError as error:
        raise BadRequest(f"The metadata's `{name[:80]}` is not JSON: {error}.") from None
