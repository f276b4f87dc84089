"""Answers to many inputs are read line by line."""

import asyncio
import json

import httpx
import pytest

from handful import AsyncHandful, Handful, RefusedError, refusals, streams
from tests.service.drawings import letters, png, wave


class Service:
    """Answers each input with itself. It breaks off after `breaks` lines, once for each, or says that it is busy."""

    def __init__(self, breaks: tuple[int, ...] = (), most: int = 1000) -> None:
        self.breaks, self.most = list(breaks), most
        self.bodies: list[dict] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "application/x-ndjson"
        body = json.loads(request.content)
        self.bodies.append(body)
        if len(body["inputs"]) > self.most:
            return httpx.Response(413, json={"code": "too_large", "detail": "The body is over the limit."})
        return httpx.Response(200, stream=Lines(body["inputs"], self.breaks), headers={"etag": '"7-abc"'})


class Lines(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of lines, for both clients."""

    def __init__(self, inputs: list, breaks: list[int]) -> None:
        self._inputs, self._breaks = inputs, breaks

    def __iter__(self):
        last = self._breaks.pop(0) if self._breaks else len(self._inputs)
        for number, one in enumerate(self._inputs[:last], 1):
            yield json.dumps({"line": number} | answer(one, number)).encode() + b"\n"
        if last < len(self._inputs):
            raise httpx.ReadError("The connection is lost.")

    async def __aiter__(self):
        for line in self:
            yield line


def answer(one, number: int) -> dict:
    if one == "bad":
        return {
            "error": {"status": 422, "code": "invalid", "detail": f"line {number}: bad.", "field": f"line {number}"}
        }
    if one == "busy":
        return {"error": {"status": 429, "code": "busy", "detail": "Too much."}}
    return {"value": one}


@pytest.fixture
def answering(monkeypatch):
    """Both clients, whose requests go to a service."""
    monkeypatch.setattr(refusals, "_jittered", lambda pause: 0.0)

    def serve(service: Service) -> Service:
        for each in (httpx.Client, httpx.AsyncClient):
            transport = httpx.MockTransport(service)
            monkeypatch.setattr(
                httpx, each.__name__, lambda each=each, transport=transport, **how: each(**how, transport=transport)
            )
        return service

    return serve


def blocking(inputs, **options) -> list[dict]:
    with Handful(retries=2) as handful:
        return list(handful.predict_iter("alice", inputs, **options))


def waiting(inputs, **options) -> list[dict]:
    async def answers() -> list[dict]:
        async with AsyncHandful(retries=2) as handful:
            return [each async for each in handful.predict_iter("alice", inputs, **options)]

    return asyncio.run(answers())


both = pytest.mark.parametrize("ask", [blocking, waiting])


@both
def test_each_input_has_an_answer_and_all_are_of_one_version(answering, monkeypatch, ask):
    monkeypatch.setattr(streams, "INPUTS", 10)
    service, told = answering(Service()), []
    found = ask(iter(range(25)), top_k=1, progress=lambda *done: told.append(done))
    assert found == [{"value": number, "version": 7} for number in range(25)]
    assert [body.get("version") for body in service.bodies] == [None, 7, 7]
    assert {body["top_k"] for body in service.bodies} == {1}
    assert told[-1] == (25, None)


@both
def test_a_refused_input_has_an_error_with_its_place(answering, monkeypatch, ask):
    monkeypatch.setattr(streams, "INPUTS", 2)
    answering(Service())
    found = ask(["a", "b", "c", "bad"])
    assert [each.get("value") for each in found] == ["a", "b", "c", None]
    assert (found[3]["error"]["field"], found[3]["error"]["detail"]) == ("inputs[3]", "inputs[3]: bad.")


@both
def test_a_lost_connection_is_taken_up_again(answering, ask):
    service = answering(Service(breaks=(3, 2)))
    assert [each["value"] for each in ask(range(8))] == list(range(8))
    assert [len(body["inputs"]) for body in service.bodies] == [8, 5, 3]


@both
def test_a_connection_that_is_lost_again_and_again_is_an_error(answering, ask):
    answering(Service(breaks=(1, 0, 0, 0)))
    with pytest.raises(httpx.ReadError):
        ask(range(8))


@both
def test_a_service_that_stays_busy_is_an_error(answering, ask):
    service = answering(Service())
    with pytest.raises(RefusedError, match="busy"):
        ask(["a", "busy"])
    assert [len(body["inputs"]) for body in service.bodies] == [2, 1, 1]


@both
def test_what_is_too_large_is_sent_in_halves(answering, ask):
    service = answering(Service(most=3))
    assert [each["value"] for each in ask(range(8))] == list(range(8))
    assert [len(body["inputs"]) for body in service.bodies] == [8, 4, 2, 2, 2, 2]
    assert [body.get("version") for body in service.bodies] == [None, None, None, 7, 7, 7]


def test_more_inputs_than_a_predict_takes_are_answered_by_a_service(api):
    api.post("/adapt", json={"client_id": "bob", "model": "sinusoid", "support": wave()}).raise_for_status()
    inputs = [number / 1000 for number in range(1500)]
    with Handful(str(api.base_url)) as handful:
        found = list(handful.predict_iter("bob", inputs))
        assert [each["value"] for each in found] == pytest.approx(
            [each["value"] for each in handful.predict("bob", inputs)], rel=1e-4, abs=1e-5
        )


def test_an_input_that_the_service_refuses_does_not_affect_the_others(api):
    api.post("/adapt", json={"client_id": "alice", "support": letters("LV")}).raise_for_status()
    with Handful(str(api.base_url)) as handful:
        found = list(handful.predict_iter("alice", [png("L"), "no image", png("V")]))
    assert [each.get("label") for each in found] == ["L", None, "V"]
    assert found[1]["error"]["detail"].startswith("inputs[1]: ")
