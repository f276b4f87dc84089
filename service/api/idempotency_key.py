"""The `Idempotency-Key` header (IETF draft-ietf-httpapi-idempotency-key-header-07).

The draft defines a quoted string. A value without quotes is accepted too.
"""

import hashlib
import re
from collections.abc import Sequence

from fastapi import Request

from service.api.bodies.uploads import same_body
from service.api.parsing import THREADS
from service.errors import Unprocessable
from service.inputs.json_limits import Bytes
from service.store.records import RequestKey

HEADER = "Idempotency-Key"
FORM = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "A key that is unique to this request, for instance a UUID. A retry with the same key and body gets "
    "the first answer and changes nothing.",
}
"""The header, for OpenAPI."""


async def key_of(request: Request, *names: str) -> RequestKey | None:
    """The key of a request whose body was received. Its fingerprint includes the names. Raises Unprocessable."""
    values, body = request.headers.getlist(HEADER), request.state.body

    def found() -> RequestKey | None:
        kind, same = same_body(request, body)
        return request_key(values, "\0".join((kind, *names)), same)

    return await THREADS.run(found, len(body)) if values else None


def request_key(values: Sequence[str], content_type: str, body: Bytes) -> RequestKey | None:
    """The key and the fingerprint of a request; None without a key.

    Args:
        values: The values of all `Idempotency-Key` headers.
        content_type: The content type of the body.
        body: The body as it was sent.

    Raises:
        Unprocessable: The header is sent twice, or is not 1 to 255 visible ASCII characters.
    """
    if not values:
        return None
    form = FORM.fullmatch(values[0].strip())
    if form is None or len(values) > 1:
        raise Unprocessable(
            f"{HEADER}: send it once, with 1 to 255 visible ASCII characters, for instance a UUID.", field=HEADER
        )
    key: str = form[1] or form[2]
    return RequestKey(_digest(key.encode()), _digest(content_type.encode(), b"\0", body))


def _digest(*parts: Bytes) -> str:
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        whole.update(part)
    return whole.hexdigest()
