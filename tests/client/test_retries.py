"""The Python client against answers that are not the service's own."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import httpx
import pytest

from handful import AsyncHandful, Handful, RefusedError, blocking, event_loop
from tests.client.scripted import AWAY, DETAIL, DONE, FULL, PROBLEM


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Pauses between attempts, which are noted and not made."""
    found: list[float] = []
    monkeypatch.setattr(blocking, "time", SimpleNamespace(sleep=found.append))
    return found


STRANGE = {
    "a problem with a charset": (httpx.Response(422, headers=PROBLEM, content=DETAIL), "busy"),
    "an empty problem": (httpx.Response(422, headers=PROBLEM), "http"),
    "a problem that is a list": (httpx.Response(400, headers=PROBLEM, content="[]"), "http"),
    "a problem of nulls": (httpx.Response(400, headers=PROBLEM, content='{"code": null, "detail": null}'), "http"),
    "a page of HTML": (httpx.Response(502, headers={"content-type": "text/html"}, content="<html>"), "http"),
    "bytes that are no text": (httpx.Response(500, headers=PROBLEM, content=b"\xff\xfe"), "http"),
    "a status without a name": (httpx.Response(599), "http"),
    "a redirect": (httpx.Response(302, headers={"location": "https://login.example"}), "http"),
    "a page of HTML that is a success": (httpx.Response(200, content="<html>"), "http"),
    "a date to come back": (httpx.Response(500, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), "http"),
    "an odd time to come back": (httpx.Response(500, headers={"retry-after": "soon"}), "http"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_every_error_answer_raises_refused_error(scripted, name):
    answer, code = STRANGE[name]
    with Handful(scripted(answer).url) as handful, pytest.raises(RefusedError) as refused:
        handful.predict("alice", [1])
    assert (refused.value.status, refused.value.code) == (answer.status_code, code)
    assert refused.value.detail


def test_a_full_or_absent_service_is_asked_again_after_longer_and_longer(scripted, pauses):
    server = scripted(FULL, AWAY, FULL, DONE)
    with Handful(server.url) as handful:
        assert handful.predict("alice", [1]) == [{"value": 1}]
    assert 0.25 <= pauses[0] < pauses[1] < pauses[2] < 2


def test_the_service_says_when_to_come_back(scripted, pauses):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    answers = [httpx.Response(429, headers={"retry-after": when}) for when in ("3", date)]
    with Handful(scripted(*answers, DONE).url) as handful:
        handful.predict("alice", [1])
    assert 3 <= pauses[0] < 4
    assert 10 <= pauses[1] <= 25


def test_attempts_are_limited(scripted, pauses):
    with Handful(scripted(AWAY, AWAY, AWAY).url, retries=2) as handful, pytest.raises(RefusedError, match="503 busy"):
        handful.predict("alice", [1])
    assert len(pauses) == 2


def test_a_pause_that_is_too_long_is_left_to_the_caller(scripted, pauses):
    full = httpx.Response(503, headers={"retry-after": "3600"})
    with Handful(scripted(full).url) as handful, pytest.raises(RefusedError) as refused:
        handful.predict("alice", [1])
    assert (refused.value.retry_after_s, pauses) == (3600, [])


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.RemoteProtocolError])
def test_a_lost_connection_is_made_again(pauses, error):
    with losing(error, error) as handful:
        assert handful.predict("alice", [1]) == [{"value": 1}]
    assert len(pauses) == 2


def test_a_change_that_may_have_arrived_is_not_repeated_without_a_key(pauses):
    with losing(httpx.ReadError) as handful, pytest.raises(httpx.ReadError):
        handful.relabel("alice", "e1", "refund")
    with losing(httpx.ReadTimeout) as handful, pytest.raises(httpx.ReadTimeout):
        handful.predict("alice", [1])
    assert pauses == []


def test_a_503_after_a_change_without_a_key_is_left_to_the_caller(scripted, pauses):
    """It may have been done: sent again, it would make another version."""
    with Handful(scripted(AWAY).url) as handful, pytest.raises(RefusedError, match="503"):
        handful.rollback("alice", 1)
    assert pauses == []
    before_any_work = httpx.Response(503, headers=PROBLEM, json={"code": "overloaded", "detail": "Too much."})
    with Handful(scripted(before_any_work, DONE).url) as handful:
        handful.rollback("alice", 1)
    assert len(pauses) == 1


def test_requests_in_the_way_are_waited_for_and_other_conflicts_are_not(scripted, pauses):
    running = httpx.Response(409, headers={"retry-after": "1"})
    with Handful(scripted(running, running, DONE).url) as handful:
        handful.adapt("alice", [(0, 1)])
    assert 1 <= pauses[0] < 2 <= pauses[1] < 4
    with Handful(scripted(httpx.Response(409)).url) as handful, pytest.raises(RefusedError):
        handful.adapt("alice", [(0, 1)])
    assert len(pauses) == 2


def losing(*errors: type[httpx.TransportError]) -> Handful:
    """A client whose connections fail with these errors, and then are answered."""
    left = list(errors)

    def answer(request: httpx.Request) -> httpx.Response:
        if left:
            raise left.pop(0)("lost", request=request)
        return DONE

    handful = Handful("http://service")
    handful._http = httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))
    return handful


def test_all_attempts_of_an_adapt_have_the_same_idempotency_key(scripted, pauses):
    server = scripted(AWAY, DONE, DONE)
    with Handful(server.url) as handful:
        handful.adapt("alice", [(0, 1)])
        handful.adapt("alice", [(0, 1)])
    first, again, other = (headers["idempotency-key"] for headers in server.seen)
    assert first == again != other


def test_requests_name_their_client_to_balancers(scripted):
    server = scripted(DONE, DONE)
    with Handful(server.url) as handful:
        handful.adapt("alice", [(0, 1)])
        handful.predict("ünknown", [1])
    assert [headers["x-client-id"] for headers in server.seen] == ["alice", "%C3%BCnknown"]


@pytest.mark.anyio
async def test_the_asynchronous_client_asks_again_too(scripted, monkeypatch):
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    pausing = SimpleNamespace(sleep=sleep, to_thread=asyncio.to_thread, create_task=asyncio.create_task)
    monkeypatch.setattr(event_loop, "asyncio", pausing)
    async with AsyncHandful(scripted(FULL, DONE).url) as handful:
        assert await handful.predict("alice", [1]) == [{"value": 1}]
    assert len(found) == 1
