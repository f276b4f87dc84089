"""HTTP on the wire: heads and trailers have a limit, offers to upgrade are ignored, and slow readers are closed."""

import json
import re
import socket
from contextlib import suppress

import pytest

from service.api.http_protocol import HEAD_BYTES
from tests.service.drawings import letters
from tests.service.redises import until
from tests.service.serving import serving
from tests.service.sockets import answers, connect, flood, received

LINES = b"".join(b"X-%d: y\r\n" % i for i in range(5000))
CHUNKED = b"POST /adapt HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "header lines": (b"GET /healthz HTTP/1.1\r\nHost: here\r\n", LINES),
    "a header value": (b"GET /healthz HTTP/1.1\r\nHost: here\r\nX: ", b"y" * 2**16),
    "a header name": (b"GET /healthz HTTP/1.1\r\nHost: here\r\n", b"y" * 2**16),
    "a URL": (b"GET /", b"y" * 2**16),
    "trailer lines": (CHUNKED + b"0\r\n", LINES),
    "a trailer value": (CHUNKED + b"0\r\nX: ", b"y" * 2**16),
    "a chunk extension": (CHUNKED + b"1;x=", b"y" * 2**16),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_head_without_end_is_answered_431_and_closed(api, name):
    start, piece = ENDLESS[name]
    with connect(api) as connection:
        connection.sendall(start)
        flood(connection, piece, 2**20)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer


def test_a_connection_with_a_refused_head_is_closed_soon(api):
    with connect(api) as connection:
        assert flood(connection, LINES, 2**40) < 2**40


@pytest.mark.parametrize("size", [HEAD_BYTES - 1000, HEAD_BYTES + 1000])
def test_a_whole_head_is_measured_exactly(api, size):
    head = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\nX: " + b"y" * size + b"\r\n\r\n"
    assert answers(api, head).startswith(b"HTTP/1.1 200 " if size < HEAD_BYTES else b"HTTP/1.1 431 ")


def test_the_head_after_a_large_body_is_measured_by_itself(api):
    body = b'{"client_id": "a"' + b" " * 200_000 + b"}"
    first = b"POST /adapt HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    second = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    answer = answers(api, first + second)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"HTTP/1.1 200 " in answer


def test_many_small_chunks_are_a_body(api):
    body = json.dumps({"client_id": "chunked", "support": letters("LV")}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body.ljust(50_000))
    answer = answers(api, CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_trailers_change_nothing_of_a_request(api):
    answer = answers(api, CHUNKED + b"2\r\n{}\r\n0\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + CLOSING)
    assert answer.startswith(b"HTTP/1.1 422 ")


CLOSING = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
OFFERS = {
    "Java": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "TLS": b"connection: keep-alive, upgrade\r\nupgrade: TLS/1.3\r\n",
    "WebSocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("pause", [False, True], ids=["at once", "head first"])
def test_an_offer_to_upgrade_is_answered_over_http_1_with_its_body(api, offer, pause):
    body = json.dumps({"client_id": "upgrader", "support": letters("LV")}).encode()
    head = b"POST /adapt HTTP/1.1\r\nHost: here\r\n" + offer + b"Content-Length: %d\r\n\r\n" % len(body)
    with connect(api) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (head, body + CLOSING) if pause else (head + body + CLOSING,):
            connection.sendall(part)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"classes":["L","V"]' in answer
    assert answer.endswith(b'{"status":"alive"}')


def test_an_offer_to_upgrade_in_chunks_keeps_its_body(api):
    body = json.dumps({"client_id": "upgrader", "support": letters("LV")}).encode()
    head = CHUNKED[:-2] + OFFERS["Java"] + b"\r\n"
    answer = answers(api, head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n" + CLOSING)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [
    b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /healthz HTTP/1.1\r\nHost: here\r\nbad header\r\n\r\n",
    b"POST /adapt HTTP/1.1\r\nHost: here\r\nContent-Length: x\r\n\r\n",
    b"POST /adapt HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    CHUNKED + b"xyz\r\n",
])  # fmt: skip
def test_invalid_http_is_answered_with_a_problem(api, sent):
    answer = answers(api, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in answer


def test_a_client_that_does_not_read_its_answer_is_closed(settings, worker):
    hasty = settings.model_copy(update={"write_timeout_s": 0.2, "max_answer_bytes": 2**30})
    with serving(hasty, worker) as api, socket.socket() as connection:
        many = [{"input": one["input"], "label": f"{i:03d}" + "x" * 250} for i, one in enumerate(letters("L") * 60)]
        api.post("/adapt", json={"client_id": "amplified", "support": many}).raise_for_status()
        drawing = many[0]["input"]
        body = json.dumps({"client_id": "amplified", "inputs": [drawing] * 500, "top_k": None}).encode()
        before = finished(api)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((api.base_url.host, api.base_url.port))
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        until(lambda: finished(api) > before)  # though the client has not read its answer
        assert len(received_until_closed(connection)) < 500 * 60 * 250


def finished(api) -> float:
    """Requests to /predict that are finished."""
    line = r'^handful_http_requests_total\{.*route="/predict",.*\} (\S+)$'
    return sum(float(count) for count in re.findall(line, api.get("/metrics").text, re.MULTILINE))


def received_until_closed(connection: socket.socket) -> bytes:
    found = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(2**20):
            found += piece
    return bytes(found)
