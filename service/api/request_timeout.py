"""Connections of clients: room for as many as the machine allows, and an end to those that say nothing."""

import asyncio
import resource
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def raise_open_file_limit() -> None:
    """Raise this process's limit of open files, which is often 1024, as far as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS says that there is none, and takes no such number
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def protocol_with_timeout(seconds: float) -> type[HttpToolsProtocol]:
    """HTTP that closes a connection when the head of a request is not here after `seconds`; uvicorn would wait for
    ever, and whoever opens enough connections and says nothing would keep all others out."""

    class TimeoutProtocol(HttpToolsProtocol):
        _closing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._expect_head()
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete:  # and no other request has come behind it
                self._expect_head()

        def _expect_head(self) -> None:
            self._stop_waiting()
            self._closing = self.loop.call_later(seconds / 2, self._look_once_more)

        def _look_once_more(self) -> None:
            """Had this process been stopped itself, it would find the time over before it has read what came."""
            self._closing = self.loop.call_later(seconds / 2, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._closing is not None:
                self._closing.cancel()

    return TimeoutProtocol
