"""Requests that are cheap to send and were expensive to receive, each as a function of the service's address."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from tests.service.sockets import Address, connect, flood

MB = 2**20
LINES = b"".join(b"X-%d: y\r\n" % i for i in range(5000))
CHUNKED = b"POST /adapt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
TENSOR = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}

Attack = Callable[[Address], object]


def endless(start: bytes, piece: bytes, size: int = 100 * MB) -> Attack:
    """A head that goes on for `size` bytes."""

    def attack(address: Address) -> None:
        with connect(address) as connection:
            connection.sendall(start)
            flood(connection, piece, size)

    return attack


def unfinished_bodies(count: int, size: int, while_held: Callable[[], object] = lambda: None) -> Attack:
    """Concurrent bodies without their last byte."""

    def attack(address: Address) -> None:
        connections = [connect(address) for _ in range(count)]
        for connection in connections:
            connection.settimeout(5)
            with suppress(OSError):
                connection.sendall(b"POST /adapt HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
                connection.sendall(b" " * (size - 1))
        while_held()
        for connection in connections:
            connection.close()

    return attack


def posted(path: str, content: bytes, kind: str = "application/json") -> Attack:
    """A whole request."""

    def attack(address: Address) -> int:
        url = f"http://{address[0]}:{address[1]}{path}"
        return httpx.post(
            url, content=content, headers={"content-type": kind}, timeout=120, trust_env=False
        ).status_code

    return attack


def file_of(header: dict[str, Any]) -> bytes:
    """A safetensors file without data."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def listed(item: bytes, count: int) -> bytes:
    """A predict with so many inputs."""
    return b'{"client_id":"a","inputs":[' + item * count + b"0]}"


FILE = "application/safetensors"
ATTACKS: dict[str, Callable[[], Attack]] = {
    "a head of many lines": lambda: endless(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", LINES),
    "a header value": lambda: endless(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", b"y" * MB),
    "a URL": lambda: endless(b"GET /", b"y" * MB),
    "trailers": lambda: endless(CHUNKED + b"0\r\n", LINES),
    "a chunk extension": lambda: endless(CHUNKED + b"1;x=", b"y" * MB),
    "30 unfinished bodies": lambda: unfinished_bodies(30, 31 * MB),
    "2 million names": lambda: posted("/adapt", b"{" + b",".join(b'"%d":1' % i for i in range(2_000_000)) + b"}"),
    "15 million numbers": lambda: posted("/predict", listed(b"0,", 15_000_000)),
    "2 million numbers": lambda: posted("/predict", listed(b"0.1234,", 1_999_000)),
    "2 million numbers, one NaN": lambda: posted("/predict", listed(b"0.1,", 1_999_000).replace(b"0]", b"NaN]")),
    "10 million lists": lambda: posted("/predict", listed(b"[],", 10_000_000)),
    "10 million brackets": lambda: posted("/predict", b'{"inputs":' + b"[" * 10_000_000),
    "a text of escapes": lambda: posted("/predict", b'{"inputs":["' + b"\\n" * 15_000_000 + b'"]}'),
    "a million names in a file": lambda: posted(
        "/adapt", file_of({"__metadata__": dict.fromkeys(map(str, range(1_000_000)), "")}), FILE
    ),
    "400,000 tensors": lambda: posted("/adapt", file_of(dict.fromkeys(map(str, range(400_000)), TENSOR)), FILE),
    "10 million empty inputs": lambda: posted(
        "/predict", file_of({"inputs": TENSOR | {"shape": [10_000_000, 0]}}), FILE
    ),
}
"""Functions that prepare each attack: making its bytes must not be measured."""
