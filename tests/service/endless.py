"""An engine one of whose methods never ends."""

import asyncio
import threading


class Endless:
    """Passes all calls on to an engine, but while it is `armed`, those of one method wait until they are cancelled.

    `began` and `cancelled` say that such a call has begun and was cancelled.
    """

    def __init__(self, engine, method: str, *, armed: bool = True) -> None:
        self._engine, self._method, self.armed = engine, method, armed
        self.began, self.cancelled = threading.Event(), threading.Event()

    def __getattr__(self, name: str):
        return self._wait if name == self._method and self.armed else getattr(self._engine, name)

    async def _wait(self, *_, **__):
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
