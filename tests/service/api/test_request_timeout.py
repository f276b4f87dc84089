"""Requests that do not arrive are closed; others are answered."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request

from service.api.memory_budget import MemoryBudget, Reservation
from service.api.receive import receive_body
from tests.service.drawings import letters
from tests.service.serving import serving
from tests.service.sockets import answers, connect

HEAD = b"POST /adapt HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture(scope="module")
def hurried(settings, worker) -> Iterator[httpx.Client]:
    with serving(settings.model_copy(update={"receive_timeout_s": 0.5}), worker) as api:
        yield api


@pytest.mark.parametrize("body", [b"", b'{"client_id":'])
def test_a_body_that_does_not_arrive_is_answered_408(hurried, body):
    answer = answers(hurried, HEAD + body)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"too_slow"' in answer
    assert b"limit of 0.5 s" in answer


@pytest.mark.parametrize("head", [b"", b"POST /ad", HEAD[:-2]])
def test_a_connection_without_a_whole_head_is_closed(hurried, head):
    assert answers(hurried, head) == b""


@pytest.mark.parametrize("more", [b"\r\n", HEAD[:-2]])
def test_a_connection_with_a_slow_second_head_is_closed(hurried, more):
    answer = answers(hurried, WHOLE + more)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_connection_in_use_is_not_closed(hurried):
    with connect(hurried) as slow:
        slow.sendall(b"POST /ad")
        while not closed(slow):
            assert hurried.post("/adapt", json={"client_id": "other", "support": letters("LV")}).status_code == 200


@pytest.mark.anyio
async def test_a_suspended_process_reads_what_arrived_before_it_times_out():
    loop, came = asyncio.get_running_loop(), asyncio.Event()

    async def receive():
        await came.wait()
        return {"type": "http.request", "body": b"{}"}

    loop.call_later(0.2, came.set)
    loop.call_soon(time.sleep, 0.5)
    reservation = Reservation(MemoryBudget(10))
    request = Request({"type": "http", "headers": [], "state": {"reservation": reservation}}, receive)
    assert await receive_body(request, limit=10, timeout_s=0.2) == b"{}"


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


def test_the_open_file_limit_is_raised_to_the_maximum():
    ask = (
        "import resource; from service.api.http_protocol import raise_open_file_limit; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128)); raise_open_file_limit(); "
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["128", "128"]
