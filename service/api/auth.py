"""API keys. Each belongs to one tenant, and has scopes."""

import hashlib
import hmac
import re
from ipaddress import ip_address
from typing import NamedTuple

from starlette.requests import Request

from service import metrics
from service.api.key_cache import KeyCache
from service.api.scopes import scope_of
from service.api.wrong_keys import WrongKeys
from service.errors import MissingScope, Unauthorized
from service.settings import Settings
from service.store.key_ring import ApiKey, Scope
from service.use_cases.keys import KEY_FORM

OPEN_TENANT = "default"
ALL: tuple[Scope, ...] = ("read", "predict", "adapt")
"""The scopes of the keys of the settings, and of requests to a service without keys. The admin API needs a key."""
IN_SETTINGS = "settings"
"""In place of the id of a key of the settings."""


class Access(NamedTuple):
    """What a request may do. `key_id` is None in a service without keys."""

    tenant: str
    scopes: tuple[Scope, ...]
    key_id: str | None = None


OPEN = Access(OPEN_TENANT, ALL)


def check_guarded(settings: Settings) -> None:
    """Refuse to serve other machines without API keys. Raises ValueError."""
    address = settings.published_host or settings.host
    if settings.auth == "keys" or settings.api_keys or settings.open or is_loopback(address):
        return
    raise ValueError(
        f"Without API keys, anybody who reaches {address} can use the service. Set HANDFUL_AUTH=keys and make keys "
        'with handful keys create, or set HANDFUL_API_KEYS to \'{"TENANT": "<SHA-256 of its key, in hex>"}\', or '
        "listen on 127.0.0.1, or set HANDFUL_OPEN=true if a proxy in front authenticates requests."
    )


class Guard:
    """Finds out who sends a request, and what it may do."""

    def __init__(self, settings: Settings, keys: KeyCache) -> None:
        self._settings, self._keys, self._wrong = settings, keys, WrongKeys(settings.wrong_keys)
        self._closed = settings.auth == "keys" or bool(settings.api_keys)

    async def admit(self, request: Request) -> Access:
        """The access of a request with a key in `Authorization: Bearer` or `X-API-Key`, if it has the scope of the
        route.

        Raises:
            Unauthorized: No key, an unknown or expired one, or two different ones.
            TooManyWrongKeys: The address has sent too many unknown keys.
            MissingScope: The key may not do this.
            Unavailable: The keys cannot be read.
        """
        access = request.state.access = await self.access(request)
        scope = scope_of(request.method, request.scope["route"].path)
        if scope in access.scopes:
            return access
        if access.key_id is None:
            raise Unauthorized(
                "The admin API needs a key, also in a service without keys: handful keys create NAME --scopes admin."
            )
        raise MissingScope(
            f"This call needs the scope {scope!r}; the key has {', '.join(access.scopes)}. Use another key, or make "
            f"one: handful keys create {access.tenant} --scopes {scope}."
        )

    async def access(self, request: Request) -> Access:
        """The access of a request, to whatever route. Raises Unauthorized, TooManyWrongKeys, Unavailable."""
        given = _given_keys(request)
        if len(given) > 1:
            raise Unauthorized("The request has two different keys. Send one, in one header.")
        for key in given:
            if (access := self._of_settings(key) or await self._of_store(key)) is not None:
                return access
        if not self._closed and not (await self._keys.find("")).guarded:
            return OPEN
        if given:
            metrics.wrong_keys.inc()
            self._wrong.count(request.client.host if request.client else "")
            request.state.wrong_key = True  # for the audit log, which is bounded by this count
        raise Unauthorized("Send a known key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.")

    def _of_settings(self, key: str) -> Access | None:
        known = self._settings.api_keys
        tenants = [tenant for tenant, sha256 in known.items() if is_key(key, sha256)] if known else []
        return Access(tenants[0], ALL, IN_SETTINGS) if tenants else None

    async def _of_store(self, key: str) -> Access | None:
        parts = re.fullmatch(KEY_FORM, key)
        if parts is None:
            return None
        found = (await self._keys.find(parts[1])).key
        if found is None or not is_key(key, found.sha256):
            return None
        _check_unexpired(found)
        self._keys.note_use(found.id)
        return Access(found.tenant, tuple(found.scopes), found.id)


def is_key(key: str, sha256: str) -> bool:
    """Whether a key has this SHA-256. Takes the same time for every key."""
    return hmac.compare_digest(hashlib.sha256(key.encode()).hexdigest(), sha256)


def _check_unexpired(key: ApiKey) -> None:
    if key.expired():
        raise Unauthorized(f"The key {key.id} has expired at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}. Use another key.")


def _given_keys(request: Request) -> set[str]:
    bearers = [_bearer(header) for header in request.headers.getlist("authorization")]
    return {key for key in (*request.headers.getlist("x-api-key"), *bearers) if key}


def _bearer(header: str) -> str:
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a name
        return address == "localhost"
