"""Refuse requests that browsers send for other sites: foreign origins (CSRF) and foreign hosts (DNS rebinding)."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.auth import is_loopback
from service.api.problem_details import answer_to
from service.errors import BadRequest, Forbidden
from service.settings import Settings

ANY = "*"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PROBES = ("/healthz", "/readyz", "/metrics")
"""Any host name may be used for these: monitoring uses names of its own, and the answers hold no client data."""


class OriginGuard:
    """ASGI middleware that answers 403 to requests from foreign sites."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        keyless = not settings.api_keys and not settings.open and settings.auth != "keys"
        self._checks_host = bool(settings.allowed_hosts or keyless) and ANY not in settings.allowed_hosts
        own = (settings.host, settings.published_host or "", "localhost")
        self._hosts = {name.lower() for name in (*settings.allowed_hosts, *own)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        try:
            if scope["type"] == "http":
                self._check(scope, Headers(scope=scope))
        except (BadRequest, Forbidden) as refusal:
            await answer_to(scope, refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        host, origin = headers.get("host"), headers.get("origin")
        if len(headers.getlist("host")) > 1:
            raise BadRequest("The request has several `Host` headers. Send one.")
        if host and scope["path"] not in PROBES and not self._knows(host):
            raise Forbidden(
                "This service is not known under the name in `Host`. Use localhost, or add the name to "
                "HANDFUL_ALLOWED_HOSTS."
            )
        if origin and scope["method"] not in SAFE_METHODS and not self._trusts(origin, headers):
            raise Forbidden(
                "Pages of another origin may not call this service. Add the origin to HANDFUL_CORS_ORIGINS to let them."
            )

    def _knows(self, host: str) -> bool:
        """Whether the name is the service's own. Names without a dot count, because nobody can register them."""
        name = _name(host)
        return not self._checks_host or name in self._hosts or is_loopback(name) or not {".", ":"} & set(name)

    def _trusts(self, origin: str, headers: Headers) -> bool:
        """Whether the origin is allowed, or is the service itself.

        A proxy may change `Host`. `X-Forwarded-Host` is trusted, because a page cannot set it without a preflight.
        """
        allowed = self._settings.cors_origins
        own = (headers.get("host"), headers.get("x-forwarded-host"))
        return ANY in allowed or origin in allowed or _netloc(origin) in own


def _name(host: str) -> str:
    """A `Host` header without its port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
