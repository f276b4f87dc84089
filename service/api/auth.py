"""API keys. Each belongs to one tenant."""

import hashlib
import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.requests import Request

from service.errors import Unauthorized
from service.settings import Settings

OPEN_TENANT = "default"


def check_guarded(settings: Settings) -> None:
    """Refuse to serve other machines without API keys. Raises ValueError."""
    address = settings.published_host or settings.host
    if settings.api_keys or settings.open or is_loopback(address):
        return
    raise ValueError(
        f"Without API keys, anybody who reaches {address} can use the service. Set HANDFUL_API_KEYS to "
        '\'{"TENANT": "<SHA-256 of its key, in hex>"}\', or listen on 127.0.0.1, or set HANDFUL_OPEN=true if a proxy '
        "in front authenticates requests."
    )


def tenants(api_keys: Mapping[str, str]) -> list[str]:
    """All tenants of the service."""
    return list(api_keys) or [OPEN_TENANT]


def tenant_of(request: Request, api_keys: Mapping[str, str]) -> str:
    """The tenant of the key in `Authorization: Bearer` or `X-API-Key`. Without keys there is one tenant.

    Only the SHA-256 of each key is known. Keys are compared in constant time.

    Raises:
        Unauthorized: No key, an unknown key, or two different keys.
    """
    if not api_keys:
        return OPEN_TENANT
    given = _given_keys(request)
    if len(given) > 1:
        raise Unauthorized("The request has two different keys. Send one, in one header.")
    matches = [tenant for key in given for tenant in _matches(key, api_keys)]
    if not matches:
        raise Unauthorized("Send a known key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.")
    return matches[0]


def _given_keys(request: Request) -> set[str]:
    bearers = [_bearer(header) for header in request.headers.getlist("authorization")]
    return {key for key in (*request.headers.getlist("x-api-key"), *bearers) if key}


def _bearer(header: str) -> str:
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _matches(key: str, api_keys: Mapping[str, str]) -> list[str]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return [tenant for tenant, known in api_keys.items() if hmac.compare_digest(digest, known)]


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a name
        return address == "localhost"
