"""Limits on the structure of JSON, checked on its bytes before parsing.

A parser makes an object of up to a hundred bytes for each value and blocks all threads while it works. A value takes as
little as two bytes of JSON, so a limit on the size of a body does not limit the cost of parsing it.
"""

from typing import NamedTuple

from service.errors import Unprocessable

Bytes = bytes | bytearray

FIELDS = 32
"""Maximum fields of an object. Requests and examples have fewer."""
VALUES = 1_600_000
"""Maximum values in lists. A parser holds the interpreter for 0.2 s to make so many numbers. 2000 drawings of 28 x 28
pixels have 1.57 million."""
LISTS = 500_000
"""Maximum lists, such as the rows of drawings."""


class JsonLimits(NamedTuple):
    """Maximum counts of one document."""

    fields: int
    values: int = VALUES
    lists: int = LISTS


def limits_for(elements: int) -> JsonLimits:
    """The limits of a document with `elements` elements, each an object or an input."""
    return JsonLimits(fields=FIELDS * (elements + 1))


def check_structure(document: Bytes, limits: JsonLimits) -> None:
    """Refuse a document with more structure than the limits allow. Raises Unprocessable.

    The counts are upper limits for what a parser makes, also of an invalid document.
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
            f"The JSON has {count} {what}; the limit is {limit}. Send fewer inputs, or rows as CSV, numbers as a "
            "safetensors file, images as files."
        )
