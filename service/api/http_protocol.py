"""Uvicorn's HTTP/1.1 protocol with limits that apply before any key is checked."""

import asyncio
import math
import resource
from contextlib import suppress
from typing import Any, cast

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.certificate import CHECK_S, Certificate
from service.api.problem_details import raw_response
from service.errors import BadRequest, HandfulError, HeadTooLarge
from service.settings import Settings

HEAD_BYTES = 64 * 1024
"""Maximum size of URL, headers and trailers together."""
LINGER_S = 2.0
"""Seconds to keep reading after a refusal, so that the client gets the answer instead of a connection reset."""
UPGRADE_HEADERS = (b"connection", b"upgrade", b"http2-settings")


def server_config(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Config:
    """The configuration of uvicorn. Raises OSError for a certificate or key that cannot be read."""
    certificate = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        options |= {"ssl_certfile": settings.tls_cert, "ssl_keyfile": settings.tls_key}
        certificate = Certificate(settings.tls_cert, settings.tls_key)
    options.setdefault("timeout_graceful_shutdown", math.ceil(settings.deadline_s))
    logs = {"log_config": None} if settings.log_format == "json" else {}  # uvicorn's own loggers write text
    config = uvicorn.Config(app, http=protocol_of(settings), ws="none", access_log=False, **(logs | options))
    if certificate is not None:
        _renew_certificate(config, certificate)
    return config


def _renew_certificate(config: uvicorn.Config, certificate: Certificate) -> None:
    """Look at the files of the certificate from time to time."""

    async def look() -> None:
        if config.ssl is not None:
            certificate.renew(config.ssl)

    config.callback_notify, config.timeout_notify = look, CHECK_S


def raise_open_file_limit() -> None:
    """Raise the limit of open files of this process, often 1024, to the maximum."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS reports an infinite limit but does not accept it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def protocol_of(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol class with the timeouts of these settings."""
    timeouts = {"receive_timeout_s": settings.receive_timeout_s, "write_timeout_s": settings.write_timeout_s}
    return cast(type[HttpToolsProtocol], type("HandfulProtocol", (LimitedProtocol,), timeouts))


class LimitedProtocol(HttpToolsProtocol):
    """Limits the size and time of the head, the size of trailers, and the time to read an answer. Ignores upgrades."""

    receive_timeout_s: float
    write_timeout_s: float
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _idle_bytes = 0
    _in_head = True
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        _cancel(self._head_timer)
        _cancel(self._write_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes. They are counted here, because callbacks see a large value only when it is complete."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._idle_bytes += len(data)
        try:
            self.parser.feed_data(data)
            self._limit(self._idle_bytes)
        except httptools.HttpParserUpgrade as upgrade:
            self._continue_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._refuse(error.__context__)
        except (httptools.HttpParserError, HeadTooLarge) as error:
            self._refuse(error)

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Start counting a head."""
        self._in_head, self._head_bytes, self._idle_bytes = True, 0, 0
        self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the URL."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count headers and trailers. Trailers are dropped, because they must not change a request that has begun."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request. A request that offers an upgrade is parsed again without the offer."""
        _cancel(self._head_timer)
        if self.parser.should_upgrade():
            return
        self._in_head, self._idle_bytes = False, 0
        super().on_headers_complete()
        if self.expect_100_continue:  # a refused client does not send its body
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of the request."""
        self._idle_bytes = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, unless another request has already arrived."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._expect_head()

    # Refusals

    def _count(self, size: int) -> None:
        self._head_bytes += size
        self._limit(self._head_bytes)

    def _limit(self, size: int) -> None:
        if size > HEAD_BYTES:
            raise HeadTooLarge(
                f"URL, headers and trailers are over the limit of {HEAD_BYTES} bytes. Send fewer headers."
            )

    def _continue_without_upgrade(self, rest: bytes) -> None:
        """Parse the head again without its upgrade headers, at which the parser stopped, and then the rest."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT" or self.pipeline:
            self._refuse(BadRequest("CONNECT, and offers to upgrade within a pipeline, are not supported."))
            return
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] not in UPGRADE_HEADERS]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([method, b" ", self.url, b" HTTP/", version, b"\r\n", *kept, b"\r\n", rest]))

    def _refuse(self, reason: BaseException | None) -> None:
        """Answer with a problem if an answer is still possible, and close the connection."""
        self._refused = True
        if not self._can_answer():
            self.transport.close()
            return
        if not self._in_head:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        refusal = reason if isinstance(reason, HandfulError) else BadRequest("The request is not valid HTTP/1.1.")
        self.transport.write(raw_response(refusal))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _can_answer(self) -> bool:
        """Whether the next answer on the wire belongs to the message being parsed."""
        if self.pipeline:
            return False
        if self.cycle is None:
            return True
        return bool(self.cycle.response_complete if self._in_head else not self.cycle.response_started)

    # Timeouts

    def _expect_head(self) -> None:
        """Wait in two halves. A process that was suspended first reads what arrived meanwhile."""
        _cancel(self._head_timer)
        self._head_timer = self.loop.call_later(self.receive_timeout_s / 2, self._expect_head_once_more)

    def _expect_head_once_more(self) -> None:
        self._head_timer = self.loop.call_later(self.receive_timeout_s / 2, self._close)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without a next request."""
        self._close()

    def _close(self) -> None:
        """Close after sending the buffered bytes, while the client reads them."""
        self.transport.close()
        self._expect_reading()

    def pause_writing(self) -> None:
        """The client reads slowly."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        _cancel(self._write_timer)
        super().resume_writing()

    def _expect_reading(self) -> None:
        _cancel(self._write_timer)
        self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
