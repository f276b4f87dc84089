"""The container health check of a worker: `python -m service.ipc.healthcheck` exits 0 if the worker is ready.

It imports neither the command line nor torch, because it runs every few seconds.
"""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

from service.ipc import messages
from service.ipc.connection import Connection, connect
from service.settings import Settings

TIMEOUT_S = 5.0


def main() -> None:
    """Ask the worker at HANDFUL_WORKER_SOCKET and exit."""
    socket = Settings().worker_socket
    try:
        asyncio.run(wait_until_ready(socket))
    except (OSError, TimeoutError) as error:
        raise SystemExit(f"The worker at {socket} is not ready: {error!r}") from None


async def wait_until_ready(socket: Path) -> None:
    """Return once the worker says that it is ready. Raises OSError, TimeoutError."""
    ready = asyncio.Event()

    def received(message: Any) -> None:
        match message:
            case messages.Heartbeat(ready=True):
                ready.set()

    connection = Connection(messages.ToApi, received, lost=lambda: None)
    async with asyncio.timeout(TIMEOUT_S):
        await connect(socket, connection)
        with closing(connection):
            await ready.wait()


if __name__ == "__main__":
    main()
