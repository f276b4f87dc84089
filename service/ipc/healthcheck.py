"""The container health check: `python -m service.ipc.healthcheck` asks the worker at HANDFUL_LISTEN if it is ready.

Exits 0 if it says so. Does without the command line, the models and torch, since it is asked every few seconds.
"""

import asyncio
from contextlib import closing
from typing import Any

from service.ipc import messages
from service.ipc.connection import Connection, connect
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
            case messages.Challenge():
                link.send(messages.Proof(messages.new_nonce(), messages.mac(secret, "api", message.nonce)))
            case messages.Heartbeat(ready=True):
                said.set()

    link = Connection(messages.ToApi, received, lost=lambda: None)
    async with asyncio.timeout(PATIENCE_S):
        await connect(url, link)
        with closing(link):
            await said.wait()


if __name__ == "__main__":
    main()
