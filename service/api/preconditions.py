"""The `If-Match` header (RFC 9110): change a client only if its version is one of those named."""

import re
from typing import Any

from fastapi import Request

from service.errors import Unprocessable

HEADER = "If-Match"
TAG = re.compile(r'"[\x21\x23-\x7e]*"')

IF_MATCH: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Entity tags, as in the `ETag` of answers, or `*`. The client is changed only if its current "
    "version has one of them; otherwise the answer is 412.",
}


def if_match(request: Request) -> frozenset[str] | None:
    """The entity tags of the header; None without it. Raises Unprocessable."""
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    tags = [each.strip() for value in values for each in value.split(",")]
    if not all(tag == "*" or TAG.fullmatch(tag.removeprefix("W/")) for tag in tags):
        raise Unprocessable(f'{HEADER}: takes entity tags such as "3-0123456789abcdef", or *.', field=HEADER)
    return frozenset(tags)
