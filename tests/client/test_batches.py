"""Long lists are sent in several requests."""

import json

import httpx
import pytest

from handful import AsyncHandful, Handful, RefusedError
from handful import batches as batches_module


class Service:
    """Answers every input with itself, and takes at most `most` inputs."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.bodies: list[dict] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if "support" in body:
            return self._adapted(body, request)
        if len(body["inputs"]) > self.most:
            return httpx.Response(422, json={"code": "invalid", "detail": "inputs: too many.", "field": "inputs"})
        if "bad" in body["inputs"]:
            place = f"inputs[{body['inputs'].index('bad')}]"
            return httpx.Response(422, json={"code": "invalid", "detail": f"{place}: bad.", "field": place})
        found = [{"value": one} for one in body["inputs"]]
        warnings = [{"field": "inputs[0]", "code": "odd", "detail": ""}]
        return httpx.Response(200, json={"predictions": found, "version": 7, "warnings": warnings})

    def _adapted(self, body: dict, request: httpx.Request) -> httpx.Response:
        body["if_match"] = request.headers.get("if-match")
        version = len(self.bodies)
        ids = [each["input"] for each in body["support"]]
        return httpx.Response(200, json={"version": version, "ids": ids}, headers={"etag": f'"{version}"'})


@pytest.fixture
def service(monkeypatch) -> Service:
    service = Service()
    for each in (httpx.Client, httpx.AsyncClient):
        monkeypatch.setattr(
            httpx, each.__name__, lambda each=each, **how: each(**how, transport=httpx.MockTransport(service))
        )
    return service


def test_all_inputs_are_answered_in_their_order(service):
    told: list[tuple[int, int | None]] = []
    with Handful() as handful:
        found = handful.predict("alice", range(95), batch=10, progress=lambda *done: told.append(done))
    assert [each["value"] for each in found] == list(range(95))
    assert len(service.bodies) == 10
    assert told[0] == (10, 95)
    assert told[-1] == (95, 95)


def test_all_requests_ask_the_version_that_has_answered_first(service):
    with Handful() as handful:
        assert handful.predict("alice", range(30), batch=10).version == 7
    assert [body.get("version") for body in service.bodies] == [None, 7, 7]


@pytest.mark.anyio
async def test_the_asynchronous_client_sends_parts_too(service):
    async with AsyncHandful() as handful:
        found = await handful.predict("alice", iter(range(25)), batch=10)
    assert [each["value"] for each in found] == list(range(25))
    assert [body.get("version") for body in service.bodies] == [None, 7, 7]


def test_a_service_with_a_lower_limit_is_sent_halves(service):
    service.most = 3
    with Handful() as handful:
        found = handful.predict("alice", range(10))
    assert [each["value"] for each in found] == list(range(10))
    assert [warning["field"] for warning in found.warnings] == ["inputs[0]", "inputs[2]", "inputs[5]", "inputs[7]"]
    assert [body.get("version") for body in service.bodies] == [None, None, None, 7, 7, 7, 7]


def test_an_error_names_the_place_in_the_whole_list(service):
    with Handful() as handful, pytest.raises(RefusedError) as refused:
        handful.predict("alice", [*range(15), "bad"], batch=10)
    assert refused.value.field == "inputs[15]"
    assert "inputs[15]: bad" in str(refused.value)


def test_a_large_support_set_is_appended_in_parts_each_after_the_one_before(service, monkeypatch):
    monkeypatch.setattr(batches_module, "ADAPT_BYTES", 100)
    with Handful() as handful:
        answer = handful.adapt("alice", [(f"text {i}", "a") for i in range(9)], model="texts", quality=True, ttl_s=9)
    first, *others = service.bodies
    assert (first["model"], first["ttl_s"], first.get("mode"), first["if_match"]) == ("texts", 9, None, None)
    assert [(body["mode"], body["if_match"], "ttl_s" in body) for body in others] == [
        ("append", f'"{i + 1}"', False) for i in range(len(others))
    ]
    assert [body.get("quality", False) for body in service.bodies] == [False] * len(others) + [True]
    assert (answer["version"], answer["ids"]) == (len(others) + 1, [f"text {i}" for i in range(9)])


def test_an_empty_list_is_one_request(service):
    with Handful() as handful:
        handful.adapt("alice", [])
        handful.predict("alice", [])
    assert len(service.bodies) == 2
