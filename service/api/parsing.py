"""Parse the body of a request, JSON or a safetensors file, into its fields. The cost is limited before parsing."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.numpy import load
from starlette.datastructures import Headers

from service.api.bodies.uploads import PARSERS, UPLOADS
from service.arrays import Array, Arrays
from service.errors import BadRequest, Unprocessable, UnsupportedMediaType
from service.executor import Executor
from service.inputs.json_limits import FIELDS, Bytes, JsonLimits, check_structure, limits_for
from service.inputs.limits import check_count

JSON, SAFETENSORS = "application/json", "application/safetensors"

THREADS = Executor("json")
"""Parse and serialize large bodies."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEADER_BYTES = 4 * 2**20
"""Maximum size of a safetensors header, which holds the labels."""
HEADER_LIMITS = JsonLimits(fields=64, values=256, lists=64)
"""A header describes one tensor. Each other field is one text."""

Parse = Callable[[Bytes, str, int], Any]
"""A parser of a body. Its other arguments are the name of the list field and the maximum length of that list."""


def parser_of(headers: Headers) -> Parse | None:
    """The parser for a body with these headers; None for an upload. Raises UnsupportedMediaType."""
    check_encoding(headers)
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind in PARSERS:
        return None
    if kind == SAFETENSORS:
        return parse_safetensors
    if kind == JSON or kind.endswith("+json"):
        return parse_json
    known = ", ".join((JSON, SAFETENSORS, *UPLOADS))
    raise UnsupportedMediaType(f"Send one of {known}, not {kind[:80] or 'an empty content type'}.")


def check_encoding(headers: Headers) -> None:
    """Refuse a compressed body. Raises UnsupportedMediaType."""
    transfer = headers.get("transfer-encoding", "chunked").strip().lower()
    if transfer != "chunked":
        raise UnsupportedMediaType(f"Send the body without the transfer encoding {transfer[:80]}; chunked is accepted.")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType(f"Send the body without the content encoding {encoding[:80]}.")


def parse_json(body: Bytes, field: str, limit: int) -> Any:
    """The fields of a JSON body. Raises BadRequest, Unprocessable."""
    document = body.removeprefix(BYTE_ORDER_MARK)
    check_structure(document, limits_for(limit))
    fields = _loaded(document)
    if isinstance(fields, dict):
        _check_sizes(fields, field, limit)
    return fields


def parse_safetensors(body: Bytes, field: str, limit: int) -> dict[str, Any]:
    """The same fields as in JSON, with a numpy array for each input.

    Raises:
        BadRequest, Unprocessable: The file is not a valid request.
    """
    header = _header(body)
    inputs, fields = _tensor(bytes(body)), _metadata(header, limit)
    check_count(len(inputs), limit, "inputs")
    if inputs.size == 0:
        raise Unprocessable(f"inputs: the tensor has the shape {inputs.shape} and no elements.", field="inputs")
    if field == "inputs":
        return fields | {"inputs": list(inputs)}
    if "labels" not in fields:
        raise Unprocessable(f"labels: missing in the metadata. Add a JSON list of {len(inputs)}.", field="labels")
    labels = fields.pop("labels")
    if not isinstance(labels, list) or len(labels) != len(inputs):
        raise BadRequest(f"labels: not a list of {len(inputs)}, one for each input.")
    examples = [{"input": one, "label": label} for one, label in zip(inputs, labels, strict=True)]
    if "ids" in fields:
        ids = fields.pop("ids")
        if not isinstance(ids, list) or len(ids) != len(inputs):
            raise BadRequest(f"ids: not a list of {len(inputs)}, one for each input.")
        examples = [example | {"id": name} for example, name in zip(examples, ids, strict=True)]
    return fields | {field: examples}


def parse_client_file(body: Bytes, limit: int) -> tuple[dict[str, Any], Arrays]:
    """The metadata and the tensors of the file of a client. Raises BadRequest, Unprocessable."""
    header = _header(body)
    try:
        tensors = load(bytes(body))
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadRequest(f"The body is not a safetensors file: {error}.") from None
    return _metadata(header, limit), tensors


def _loaded(body: Bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    try:
        return from_json(body)  # slower, but accepts NaN and Infinity, so that a later error can name the field
    except ValueError as error:
        raise BadRequest(f"The body is not JSON in UTF-8: {error}.") from None


def _check_sizes(fields: dict[str, Any], field: str, limit: int) -> None:
    """Limit elements and fields before pydantic makes an error for each."""
    listed = fields.get(field)
    elements = listed if isinstance(listed, list) else []
    check_count(len(elements), limit, field)
    elements = elements if field == "support" else []  # an input is a row of a table, with a field for each column
    if any(len(each) > FIELDS for each in (fields, *elements) if isinstance(each, dict)):
        raise Unprocessable(f"An object has more than {FIELDS} fields. GET /docs lists the fields of a request.")


def _header(body: Bytes) -> Bytes:
    """The JSON header of a safetensors file."""
    size = int.from_bytes(body[:8], "little")
    if len(body) < 8 + size:
        raise BadRequest("The body is not a safetensors file: its header is incomplete.")
    if size > HEADER_BYTES:
        raise Unprocessable(f"The safetensors header has {size} bytes; the limit is {HEADER_BYTES}.")
    header = body[8 : 8 + size]
    check_structure(header, HEADER_LIMITS)
    return header


def _tensor(body: bytes) -> Array:
    try:
        tensors = load(body)
    except (SafetensorError, ValueError) as error:
        raise BadRequest(f"The body is not a safetensors file: {error}.") from None
    except KeyError as error:
        raise BadRequest(f"The tensor has a type that numpy does not have: {error}.") from None
    if tensors.keys() != {"inputs"} or tensors["inputs"].ndim == 0:
        raise BadRequest(f"The file must have one tensor, `inputs` (n, ...), not {', '.join(tensors)[:80] or 'none'}.")
    return tensors["inputs"]


def _metadata(header: Bytes, limit: int) -> dict[str, Any]:
    texts = from_json(header).get("__metadata__") or {}
    if taken := texts.keys() & {"inputs", "support"}:
        raise BadRequest(f"The metadata has {', '.join(sorted(taken))}. Send the tensor `inputs` and `labels` instead.")
    return {name: _plain(name, text, limit) for name, text in texts.items() if name != "format"}  # added by libraries


def _plain(name: str, text: str, limit: int) -> Any:
    """The value of a field. Names are plain text; all other values are JSON."""
    if name in ("client_id", "model", "mode"):
        return text
    document = text.encode("utf-8", "surrogatepass")
    check_structure(document, limits_for(limit))
    try:
        return from_json(document)
    except ValueError as error:
        raise BadRequest(f"The metadata's `{name[:80]}` is not JSON: {error}.") from None
