"""Whose request it is: an API key belongs to one tenant."""

import hashlib
import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.requests import Request

from service.errors import Unauthorized
from service.settings import Settings

OPEN_TENANT = "default"


def check_guarded(settings: Settings) -> None:
    """Raises ValueError when anybody on the network could use the service."""
    address = settings.published_host or settings.host
    if settings.api_keys or settings.open or _is_loopback(address):
        return
    raise ValueError(
        f"Without API keys, whoever reaches {address} could use the service. Set HANDFUL_API_KEYS to "
        '\'{"TENANT": "<SHA-256 of its key, in hex>"}\', or listen on 127.0.0.1, or set HANDFUL_OPEN=true if something '
        "in front asks who they are."
    )


def tenants(api_keys: Mapping[str, str]) -> list[str]:
    """All that there may be."""
    return list(api_keys) or [OPEN_TENANT]


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


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a name
        return address == "localhost"
