"""python -m service.beat: whether the worker at HANDFUL_LISTEN works and has warmed up, for a container's healthcheck.

Exits 0 if it says so. Does without the command line, the models and torch, since it is asked every few seconds.
"""

import asyncio
from contextlib import closing
from typing import Any

from service.engine import wire
from service.engine.link import Link, connect
from service.settings import Settings

PATIENCE_S = 5.0


def main() -> None:
    """Ask, and end."""
    settings = Settings()
    try:
        asyncio.run(ready(settings.listen, settings.worker_secret.get_secret_value()))
    except (OSError, TimeoutError) as error:
        raise SystemExit(f"No worker at {settings.listen} says that it is ready: {error!r}") from None


async def ready(url: str, secret: str) -> None:
    """Return once the worker says that it is ready. Raises OSError, TimeoutError."""
    said = asyncio.Event()

    def received(message: Any) -> None:
        match message:
            case wire.Challenge():
                link.send(wire.Proof(wire.new_nonce(), wire.mac(secret, "api", message.nonce)))
            case wire.Beat(ready=True):
                said.set()

    link = Link(wire.ToApi, received, lost=lambda: None)
    async with asyncio.timeout(PATIENCE_S):
        await connect(url, link)
        with closing(link):
            await said.wait()


if __name__ == "__main__":
    main()
