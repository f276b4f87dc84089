"""Limits on the structure of JSON, checked on its bytes before anything is made of it.

A parser makes an object of up to a hundred bytes for each value, and holds up all threads while it works. Two bytes of
JSON are enough for a value, so a limit on the size of a body is no limit on the cost of parsing it.
"""

from typing import NamedTuple

from service.errors import Unprocessable

Bytes = bytes | bytearray

FIELDS = 32
"""Maximum fields of an object: more than any request or example has."""
VALUES = 2_000_000
"""Maximum values in lists. 2000 drawings of 28 x 28 pixels have 1.6 million."""
LISTS = 500_000
"""Maximum lists, such as the rows of drawings."""


class JsonLimits(NamedTuple):
    """Maximum counts of one document."""

    fields: int
    values: int = VALUES
    lists: int = LISTS


def limits_for(elements: int) -> JsonLimits:
    """The limits of a document with so many elements, each an object or an input."""
    return JsonLimits(fields=FIELDS * (elements + 1))


def check_structure(document: Bytes, limits: JsonLimits) -> None:
    """Refuse a document with more structure than the limits allow. Raises Unprocessable.

    The document need not be valid: a parser that reads it makes at most what is counted here.
    """
    plain = document.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in document else document
    _check(plain.count(b'"') // 2, 2 * limits.fields, "strings")  # a name and a value for each field
    outside = b"".join(plain.split(b'"')[::2]) if b'"' in plain else plain
    _check(outside.count(b":"), limits.fields, "fields")
    _check(outside.count(b","), limits.values, "values")
    _check(outside.count(b"[") + outside.count(b"{"), limits.lists, "lists and objects")


def _check(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise Unprocessable(
            f"The JSON has {count} {what}; the limit is {limit}. Send fewer inputs, or send them as a safetensors file "
            "or as image files."
        )
