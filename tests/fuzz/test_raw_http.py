"""Bytes at random on the socket, most of them nearly HTTP."""

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.judge import FEW, check_bytes
from tests.service.sockets import connect, received

methods = st.sampled_from([b"GET", b"POST", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"CONNECT", b"PRI", b"get", b""])
paths = st.sampled_from(
    [b"/adapt", b"/predict/", b"/clients?limit=2", b"//", b"/%00", b"/clients/%ff", b"*", b"http://x/clients", b"/a b"]
) | st.binary(max_size=20)
versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 ", b""])
header = st.sampled_from(
    [
        b"Host: localhost",
        b"Host: evil.example",
        b"Content-Length: 2",
        b"Content-Length: 2, 2",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Type: application/json",
        b"Content-Type: application/safetensors",
        b"Content-Encoding: gzip",
        b"Connection: close",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"Origin: null",
        b"Authorization: Bearer ",
        b"X-API-Key: \xff",
        b" folded: x",
        b"no colon",
        b"Trailer: x",
    ]
) | st.binary(max_size=20)
bodies = st.sampled_from([b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"zz\r\n", b""]) | st.binary(
    max_size=50
)
ends = st.sampled_from([b"\r\n", b"\n", b"\r"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    end = draw(ends)
    first = b" ".join([draw(methods), draw(paths), draw(versions)])
    return end.join([first, *draw(st.lists(header, max_size=5)), b"", b""]) + draw(bodies)


@FEW
@given(st.lists(requests(), min_size=1, max_size=3).map(b"".join))
def test_requests_that_are_nearly_http(service, sent):
    with connect(service) as connection:
        connection.sendall(sent)
        connection.shutdown(1)
        check_bytes(received(connection))
    assert service.get("/healthz").is_success


@FEW
@given(st.binary(max_size=2000))
def test_bytes_that_are_no_http(service, sent):
    with connect(service) as connection:
        connection.sendall(sent)
        connection.shutdown(1)
        check_bytes(received(connection))


@FEW
@given(st.data())
def test_a_good_request_in_any_pieces_is_answered(service, data):
    key = service.headers.get("x-api-key", "none")
    lines = ["GET /clients HTTP/1.1", "Host: localhost", f"X-API-Key: {key}", "Connection: close", "", ""]
    sent = "\r\n".join(lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    with connect(service) as connection:
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            connection.sendall(sent[start:end])
        assert received(connection).startswith(b"HTTP/1.1 200 ")
