"""Whose request it is: an API key belongs to one tenant."""

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from service.errors import Unauthorized

OPEN_TENANT = "default"


def tenant_of(request: Request, api_keys: Mapping[str, str]) -> str:
    """The tenant of the key in `Authorization: Bearer` or `X-API-Key`. Without keys, everybody is one tenant.

    Raises Unauthorized. Keys are kept as SHA-256 only and compared in constant time.
    """
    if not api_keys:
        return OPEN_TENANT
    given = request.headers.get("x-api-key") or _bearer(request.headers.get("authorization", ""))
    digest = hashlib.sha256(given.encode()).hexdigest()
    matches = [tenant for tenant, known in api_keys.items() if hmac.compare_digest(digest, known)]
    if not given or not matches:
        raise Unauthorized("Send a known key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.")
    return matches[0]


def _bearer(header: str) -> str:
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
