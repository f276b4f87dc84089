"""Whether the worker is ready, and the requests that wait for a lost one."""

import asyncio

from service.errors import Unavailable

RESTART_S = 15.0
"""Seconds within which a lost worker is expected back. Requests wait until then; later ones are refused at once."""
MAX_WAITING = 1024
"""Maximum requests that wait for a lost worker; further ones are refused at once."""


class Presence:
    """Whether the worker is ready. Requests wait for a worker that was ready and was lost, because it restarts."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._expected_by = 0.0
        self._waiting = 0

    def ready(self) -> bool:
        """Whether the worker is ready."""
        return self._ready.is_set()

    def set(self, *, ready: bool) -> None:
        """Note whether the worker is ready."""
        if ready:
            self._ready.set()
        elif self.ready():
            self._ready.clear()
            self._expected_by = asyncio.get_running_loop().time() + RESTART_S

    async def until_ready(self) -> None:
        """Wait for a lost worker. Raises Unavailable if it is not expected back, or not back when it was expected."""
        if self.ready():
            return
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"The device worker restarts, and {MAX_WAITING} requests wait for it. Try again later.")
        self._waiting += 1
        try:
            async with asyncio.timeout_at(self._expected_by):
                while not self.ready():
                    await self._ready.wait()
        except TimeoutError:
            raise Unavailable("The device worker is not ready: it starts. Try again in a few seconds.") from None
        finally:
            self._waiting -= 1
