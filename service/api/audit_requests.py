"""Writes requests to the audit log: those that change something or take it away, and those that were refused for
their key."""

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.auth import Access
from service.api.scopes import scope_of
from service.audit import AuditLog

EXPORTS = ("/clients/{client_id}/export", "/clients/{client_id}/model.onnx")
FORBIDDEN = 403
NAMES = ("tenant", "name", "key_id")
"""Parameters of paths of the admin API that name what a request is about."""


class AuditRequests:
    """ASGI middleware that writes requests to a log."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write it when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and _counts(scope, message["status"]):
                self._write(scope, message)
            await send(message)

        await self._app(scope, receive, sent)

    def _write(self, scope: Scope, message: Message) -> None:
        state, parameters, route = scope["state"], scope.get("path_params", {}), scope.get("route")
        access: Access | None = state.get("access")
        self._log.write(
            f"{scope['method']} {getattr(route, 'path', 'none')}",
            tenant=access and access.tenant,
            key=access and access.key_id,
            address=_address(scope),
            client=parameters.get("client_id") or state.get("client_id"),
            target=state.get("target") or next((parameters[name] for name in NAMES if name in parameters), None),
            status=message["status"],
            etag=Headers(raw=message["headers"]).get("etag"),
        )


def _counts(scope: Scope, status: int) -> bool:
    """Whether a request is written: its key is unknown or lacks the scope, or it changes something or takes it away.

    Requests without a known key are written as far as `WrongKeys` counts them, so that they cannot fill the disk.
    """
    route: Any = scope.get("route")
    if route is None:
        return False
    if "access" not in scope["state"]:
        return "wrong_key" in scope["state"]
    return status == FORBIDDEN or scope_of(scope["method"], route.path) in ("adapt", "admin") or route.path in EXPORTS


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
