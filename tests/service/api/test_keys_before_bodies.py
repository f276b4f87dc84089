"""Without a valid key no body is read; with one, bodies in flight have a budget."""

import hashlib
import json
import select
import socket

import pytest

from service.api.memory_budget import MemoryBudget, Reservation
from service.errors import Overloaded
from service.settings import Settings
from tests.service.drawings import letters
from tests.service.redises import until
from tests.service.sockets import answers, connect

HASHES = {tenant: hashlib.sha256(tenant.encode()).hexdigest() for tenant in ("acme", "globex")}
LIMIT = 2**20


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(
        models=zoo, redis_url=redis_url, api_keys=HASHES, max_body_bytes=LIMIT, max_body_bytes_in_flight=2 * LIMIT
    )


def head(key: str = "", length: int = LIMIT, path: str = "/adapt") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *([f"X-API-Key: {key}"] if key else []), "", ""]).encode()


@pytest.mark.parametrize("path", ["/adapt", "/predict"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_a_key_the_refusal_comes_before_the_body(api, path, key):
    with connect(api) as connection:
        connection.sendall(head(key, path=path))
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("request_line", ["GET /healthz", "POST /nowhere", "DELETE /adapt"])
def test_an_unread_body_does_not_delay_the_answer(api, request_line):
    with connect(api) as connection:
        connection.sendall(f"{request_line} HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")


def test_a_client_that_waits_for_100_continue_is_refused_without_its_body(api):
    expecting = head().replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    answer = answers(api, expecting)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer


def test_a_connection_goes_on_after_a_refusal_with_a_body(api):
    closing = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    answer = answers(api, head(length=LIMIT) + b"x" * LIMIT + closing)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b'{"status":"alive"}')


def test_bodies_in_flight_have_a_budget_and_return_it(api):
    body = json.dumps({"client_id": "alice", "support": letters("LV")}).encode().ljust(LIMIT)
    with filling_the_share(api, "acme", body) as first, connect(api) as second:
        refused = post(api, "acme", body)
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        assert "HANDFUL_MAX_BODY_BYTES_IN_FLIGHT" in refused.json()["detail"]
        second.sendall(head("globex") + body[:-1])  # the other tenant has its own half
        for connection in (first, second):
            connection.sendall(b" ")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    until(lambda: post(api, "acme", body).status_code == 200)


def test_a_client_that_leaves_returns_its_share(api):
    body = json.dumps({"client_id": "alice", "support": letters("LV")}).encode().ljust(LIMIT)
    with filling_the_share(api, "acme", body):
        pass
    until(lambda: post(api, "acme", body).status_code == 200)


def test_an_announced_body_holds_nothing_until_it_arrives(api):
    body = json.dumps({"client_id": "alice", "support": letters("LV")}).encode().ljust(LIMIT)
    with connect(api) as idle, connect(api) as other:
        idle.sendall(head("acme")), other.sendall(head("acme"))
        assert post(api, "acme", body).status_code == 200


def test_an_announced_body_that_cannot_fit_is_refused_before_it_arrives(api):
    with connect(api) as connection:
        connection.sendall(head("acme", length=LIMIT + 1))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_reservation_counts_what_it_takes_until_it_is_released():
    budget = MemoryBudget(100)
    one, other = Reservation(budget), Reservation(budget)
    one.tenant, other.tenant = "one", "other"
    one.take(40), one.take(10), other.take(50)
    for full in (one, other):
        with pytest.raises(Overloaded):
            full.take(1)
    one.release(), one.release()
    assert budget.held == 50


def filling_the_share(api, tenant: str, body: bytes) -> socket.socket:
    """A connection whose unfinished body fills the share of its tenant.

    A probe may take the share first: the connection is then refused in its place, and another is tried.
    """
    while True:
        connection = connect(api)
        connection.sendall(head(tenant) + body[:-1])
        while not select.select([connection], [], [], 0)[0]:
            if post(api, tenant, body).status_code == 503:
                return connection
        connection.close()


def post(api, key: str, body: bytes):
    return api.post("/adapt", content=body, headers={"X-API-Key": key})


def test_two_different_keys_are_ambiguous(api):
    both = {"X-API-Key": "wrong", "Authorization": "Bearer acme"}
    refusal = api.get("/clients", headers=both)
    assert (refusal.status_code, refusal.json()["code"]) == (401, "unauthorized")
    assert "two different keys" in refusal.json()["detail"]
    assert api.get("/clients", headers={"X-API-Key": "acme", "Authorization": "Bearer acme"}).status_code == 200
    twice = [("Authorization", "Bearer acme"), ("Authorization", "Bearer globex")]
    assert api.get("/clients", headers=twice).status_code == 401
