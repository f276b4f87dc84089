"""Predicts in a stream: an input a line, an answer a line."""

import asyncio
import json
import socket
from types import SimpleNamespace

import httpx
import orjson
import pytest

from service.api import streaming
from service.api.lines import Line, Lines, Outbox
from service.api.memory_budget import MemoryBudget, Reservation
from service.api.predict_schemas import PredictRequest
from service.api.streaming import Predicting
from service.api.tenant_shares import TenantShares
from service.errors import Busy, TooLarge, TooSlow
from service.settings import Settings
from tests.service.drawings import letters, png, wave
from tests.service.serving import serving
from tests.service.uploads import files

NDJSON = {"content-type": "application/x-ndjson"}
LINES = {"accept": "application/x-ndjson"}


@pytest.fixture
def alice(api):
    api.post("/adapt", json={"client_id": "alice", "support": letters("LVZ")}).raise_for_status()
    return api


@pytest.fixture
def bob(api):
    api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave()}).raise_for_status()
    return api


def lines_of(answer: httpx.Response) -> list[dict]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def values(answers: list[dict]) -> list[float]:
    return [each["value"] for each in answers if "value" in each]


def stream(api, lines, query="client_id=bob"):
    return api.post(f"/predict?{query}", content="\n".join(map(json.dumps, lines)), headers=NDJSON)


def expected(api, inputs, **fields):
    return api.post("/predict", json={"client_id": "bob", "inputs": inputs} | fields).json()["predictions"]


def test_each_line_gets_the_answer_of_a_predict_in_its_order(bob):
    inputs = [i / 1000 - 4 for i in range(1000)]
    found = lines_of(stream(bob, inputs))
    assert [each.pop("line") for each in found] == list(range(1, 1001))
    assert values(found) == pytest.approx(values(expected(bob, inputs)), rel=1e-4, abs=1e-5)


def test_a_stream_may_have_more_inputs_than_a_predict(bob):
    found = lines_of(stream(bob, [0.001 * i for i in range(10_000)]))
    assert [each["line"] for each in found] == list(range(1, 10_001))
    assert all("value" in each for each in found)


def test_a_stream_may_be_larger_than_a_body(settings, worker):
    small = settings.model_copy(update={"max_body_bytes": 2**16})
    with serving(small, worker) as api:
        api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave()}).raise_for_status()
        inputs = [1.25] * 40_000
        assert len(json.dumps(inputs)) > 2**17
        assert len(lines_of(stream(api, inputs))) == 40_000


def test_the_options_are_in_the_query(alice):
    answers = lines_of(stream(alice, [png("L"), png("V")], "client_id=alice&top_k=1&abstain=true"))
    assert [(len(each["probabilities"]), type(each["unknown"])) for each in answers] == [(1, bool)] * 2


def test_a_wrong_line_gets_an_error_and_the_others_their_answers(bob):
    body = '0\n\nnot JSON\n"text"\n1\n[1, 2]\n2'
    found = lines_of(bob.post("/predict?client_id=bob", content=body, headers=NDJSON))
    assert [each["line"] for each in found] == [1, 3, 4, 5, 6, 7]
    wrong = {each["line"]: each["error"] for each in found if "error" in each}
    assert {number: error["code"] for number, error in wrong.items()} == {3: "malformed", 4: "invalid", 6: "invalid"}
    assert wrong[4]["detail"].startswith("line 4: ")
    assert values(found) == pytest.approx(values(expected(bob, [0, 1, 2])), rel=1e-4)


def test_a_line_over_the_limit_is_skipped(settings, worker):
    with serving(settings.model_copy(update={"max_body_bytes": 4096}), worker) as api:
        api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave()}).raise_for_status()
        found = lines_of(stream(api, [0, "x" * 100_000, 1]))
    assert [each.get("error", {}).get("code") for each in found] == [None, "too_large", None]


def test_a_warning_is_in_its_line(alice):
    blank = [[255] * 28] * 28
    found = lines_of(stream(alice, [png("L"), blank, png("V")], "client_id=alice"))
    assert [[warning["code"] for warning in each.get("warnings", [])] for each in found] == [[], ["no_ink"], []]
    assert found[1]["warnings"][0]["field"] == "line 2"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("client_id=nobody", 404, "unknown_client"),
        ("", 422, "invalid"),
        ("client_id=bob&version=9", 404, "unknown_version"),
        ("client_id=bob&top_k=0", 422, "invalid"),
        ("client_id=bob&inputs=1", 422, "invalid"),
    ],
)
def test_what_cannot_be_answered_at_all_is_a_problem(bob, query, status, code):
    answer = stream(bob, [0], query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_option_that_a_client_cannot_have_is_an_error_of_each_line(bob):
    found = lines_of(stream(bob, [0, 1], "client_id=bob&abstain=true"))
    assert [each["error"]["field"] for each in found] == ["abstain", "abstain"]


def test_a_body_without_lines_gets_no_answers(bob):
    assert lines_of(bob.post("/predict?client_id=bob", content=b"\n\n", headers=NDJSON)) == []


def test_a_body_in_json_may_be_answered_in_lines(bob):
    inputs = [i / 100 for i in range(300)]
    answer = bob.post("/predict", json={"client_id": "bob", "inputs": inputs}, headers=LINES)
    assert values(lines_of(answer)) == pytest.approx(values(expected(bob, inputs)), rel=1e-4, abs=1e-5)


def test_a_form_may_be_answered_in_lines(alice):
    found = lines_of(alice.post("/predict?client_id=alice", files=[*files("LV", 1)], headers=LINES))
    assert [each["line"] for each in found] == [1, 2]


def test_the_version_of_the_beginning_answers_all(bob):
    """Another adapt in the middle changes nothing, and the answer names the version."""
    with Duplex(bob, "client_id=bob") as sent:
        sent.line("1")
        before = sent.answer()
        changed = {"client_id": "bob", "model": "sinusoid", "support": wave(amplitude=1.0)}
        assert bob.post("/adapt", json=changed).json()["version"] == 2
        sent.line("1")
        assert sent.answer()["value"] == before["value"]
        assert b'\r\netag: "1-' in sent.head.lower()


def test_answers_come_while_lines_are_sent(bob):
    with Duplex(bob, "client_id=bob") as sent:
        for number in range(1, 4):
            sent.line(str(number))
            assert sent.answer()["line"] == number
        sent.end()
        assert sent.rest() == b"0\r\n\r\n"


def test_a_client_that_leaves_ends_the_stream(bob, served):
    with Duplex(bob, "client_id=bob") as sent:
        sent.line("1")
        sent.answer()
    assert served.get("/healthz").status_code == 200
    assert bob.post("/predict", json={"client_id": "bob", "inputs": [1]}).status_code == 200


def test_a_client_that_is_made_again_during_a_stream_does_not_answer_the_rest(bob):
    """It has the same version number."""
    with Duplex(bob, "client_id=bob") as both:
        both.line("1.5")
        assert "value" in both.answer()
        bob.delete("/clients/bob").raise_for_status()
        again = {"client_id": "bob", "model": "sinusoid", "support": wave()}
        assert bob.post("/adapt", json=again).json()["version"] == 1
        both.line("1.5")
        assert both.answer()["error"]["code"] == "contended"


class Duplex:
    """A stream that is sent and read in turns."""

    def __init__(self, api: httpx.Client, query: str) -> None:
        self._socket = socket.create_connection((api.base_url.host, api.base_url.port), timeout=60)
        self._send(
            f"POST /predict?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        self._read = self._socket.makefile("rb")
        self.head = b""

    def __enter__(self) -> "Duplex":
        return self

    def __exit__(self, *_: object) -> None:
        self._read.close()
        self._socket.close()

    def line(self, text: str) -> None:
        self._send(f"{len(text) + 1:x}\r\n{text}\n\r\n")

    def end(self) -> None:
        self._send("0\r\n\r\n")

    def answer(self) -> dict:
        """The next answer."""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._read.readline()
        assert self.head.startswith(b"HTTP/1.1 200 ")
        size = int(self._read.readline(), 16)
        found: dict = orjson.loads(self._read.read(size + 2))
        return found

    def rest(self) -> bytes:
        return self._read.read(5)

    def _send(self, text: str) -> None:
        self._socket.sendall(text.encode())


def request_of(*messages: dict, budget: int = 2**20):
    waiting = list(messages)

    async def receive() -> dict:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    state = SimpleNamespace(reservation=Reservation(MemoryBudget(budget)))
    return SimpleNamespace(receive=receive, state=state)


def body(content: bytes, more: bool = True) -> dict:
    return {"type": "http.request", "body": content, "more_body": more}


async def read(request, limit: int = 100, timeout_s: float = 60) -> list[tuple]:
    return [tuple(line) async for some in Lines(request, limit, timeout_s).arriving() for line in some]


@pytest.mark.anyio
async def test_lines_may_be_cut_anywhere():
    request = request_of(body(b"on"), body(b"e\ntwo\n\r"), body(b"\nth"), body(b"ree", more=False))
    assert await read(request) == [(1, b"one"), (2, b"two"), (4, b"three")]
    assert request.state.reservation.size == 0


@pytest.mark.anyio
async def test_a_long_line_is_dropped_as_it_arrives():
    request = request_of(*[body(b"x" * 60)] * 5, body(b"\nok", more=False))
    (_, error), second = await read(request)
    assert isinstance(error, TooLarge)
    assert second == (2, b"ok")


@pytest.mark.anyio
async def test_silence_ends_a_stream():
    lines = await read(request_of(body(b"one\ntw")), timeout_s=0.01)
    assert lines[0] == (1, b"one")
    assert isinstance(lines[1][1], TooSlow)


@pytest.mark.anyio
async def test_an_outbox_holds_the_predicts_up_until_it_is_read():
    outbox = Outbox(3, request_of().state.reservation)
    await outbox.put([b"1234"])
    second = asyncio.create_task(outbox.put([b"5"]))
    await asyncio.sleep(0)
    assert not second.done()
    assert await outbox.take() == b"1234"
    await second
    await outbox.end()
    assert (await outbox.take(), await outbox.take()) == (b"5", b"")


@pytest.mark.anyio
async def test_an_outbox_counts_its_bytes_and_waits_for_memory():
    reservation = request_of(budget=10).state.reservation
    outbox = Outbox(1000, reservation)
    await outbox.put([b"12345678"])
    assert reservation.size == 8
    second = asyncio.create_task(outbox.put([b"9abc"]))
    await asyncio.sleep(0)
    assert not second.done()
    assert await outbox.take() == b"12345678"
    await second
    assert await outbox.take() == b"9abc"
    assert reservation.size == 0


@pytest.mark.anyio
async def test_answers_over_the_memory_wait_for_an_empty_outbox():
    outbox = Outbox(1000, request_of(budget=2).state.reservation)
    await outbox.put([b"1234"])
    second = asyncio.create_task(outbox.put([b"5678"]))
    await asyncio.sleep(0)
    assert not second.done()
    assert await outbox.take() == b"1234"
    await second
    assert await outbox.take() == b"5678"


@pytest.mark.anyio
async def test_a_full_queue_is_waited_for(monkeypatch):
    monkeypatch.setattr(streaming, "BUSY_S", 0)
    calls = 0

    async def answer(request, body, admit):
        nonlocal calls
        calls += 1
        if calls < 3:
            raise Busy("full")
        return SimpleNamespace(body=orjson.dumps({"predictions": [{"value": 1}]}))

    request = request_of()
    request.app = SimpleNamespace(state=SimpleNamespace(settings=Settings(), shares=TenantShares(60)))
    predicting = Predicting(request, PredictRequest(client_id="bob", inputs=[None]), answer, None)
    assert await predicting.answers([Line(7, 1)]) == [b'{"line":7,"value":1}\n']


def test_a_stream_gives_all_of_its_memory_back(settings, worker):
    """A stream that held bytes of its answers would leave no room for the second."""
    budget = {"max_body_bytes": 2**16, "max_body_bytes_in_flight": 2**17}
    with serving(settings.model_copy(update=budget), worker) as api:
        api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave()}).raise_for_status()
        for _ in range(3):
            found = lines_of(stream(api, [1.25] * 5000))
            assert not any("error" in each for each in found)
