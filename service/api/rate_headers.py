"""The fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10."""

import math

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.store.rates import Taken


class RateHeaders:
    """ASGI middleware that tells a tenant with a limited rate its limits, and what is left of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the fields to its answer."""
        state = scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            taken: Taken | None = state.get("taken")
            if taken is not None and taken.buckets and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"], headers["RateLimit"] = fields(taken)
            await send(message)

        await self._app(scope, receive, sent)


def fields(taken: Taken) -> tuple[str, str]:
    """The values of `RateLimit-Policy` and `RateLimit`: lists of structured fields."""
    policies = [f'"{each.name}";q={math.floor(each.size)};w={math.ceil(each.fill_s)}' for each in taken.buckets]
    left = [
        f'"{each.name}";r={max(0, math.floor(each.left))};t={math.ceil(each.wait_s or each.full_s)}'
        for each in taken.buckets
    ]
    return ", ".join(policies), ", ".join(left)
