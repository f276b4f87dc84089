"""Each request has an id, which its answer and the log name. Inputs are never logged."""

import json
import logging

import pytest
from starlette.datastructures import Headers

from service.api.request_context import context_of
from service.logs import JsonLines
from service.use_cases.clients import Clients
from tests.service.drawings import letters, png
from tests.service.serving import serving

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept(logging.Handler):
    """Keeps log lines in JSON. A record is formatted where it is made, in the context of its request."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def log():
    kept, logger = Kept(), logging.getLogger("service")
    before = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(kept)
    logger.setLevel(before)


@pytest.fixture(scope="module")
def logging_api(settings, worker):
    with serving(settings.model_copy(update={"log_requests": True}), worker) as api:
        yield api


def of_requests(log: Kept) -> list[dict]:
    return [line for line in log.lines if line["logger"] == "service.requests"]


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v2/nowhere", "/clients/nobody"])
def test_each_answer_names_its_request(api, path):
    first, second = (api.get(path).headers["x-request-id"] for _ in range(2))
    assert first != second
    assert len(first) == 32
    assert api.get(path, headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("sent", ["", "a b", "-x", "é", "x" * 129, "{}", 'a"b'])
def test_an_id_that_would_spoil_a_log_is_replaced(sent):
    assert context_of(Headers({"x-request-id": sent})).request_id != sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACE, TRACE),
        (TRACE.replace("00-", "01-", 1) + "-more", TRACE.replace("00-", "01-", 1)),
        (TRACE.upper(), ""),
        ("ff" + TRACE[2:], ""),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", ""),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", ""),
        ("nonsense", ""),
    ],
)
def test_a_trace_is_honoured_if_it_is_one(sent, kept):
    assert context_of(Headers({"traceparent": sent})).traceparent == kept


def test_answers_are_logged_without_inputs_paths_and_queries(logging_api, log):
    body = {"client_id": "secret-client", "support": letters("LV")}
    headers = {"x-request-id": "r1", "traceparent": TRACE}
    logging_api.post("/adapt", json=body, headers=headers).raise_for_status()
    logging_api.post("/predict", json={"client_id": "secret-client", "inputs": [png("L"), "bad"]})
    logging_api.get("/clients/secret-client?secret=query")
    lines = of_requests(log)
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/adapt", 200),
        ("POST", "/predict", 422),
        ("GET", "/clients/{client_id}", 422),
    ]
    assert (lines[0]["request_id"], lines[0]["trace_id"]) == ("r1", TRACE[3:35])
    assert lines[0]["ms"] > 0
    assert lines[0]["tenant"] == "default"
    assert "secret" not in json.dumps(log.lines)
    assert png("L")[:20] not in json.dumps(log.lines)


def test_answers_are_not_logged_unless_asked(api, log):
    api.get("/healthz")
    assert of_requests(log) == []


def test_an_unexpected_error_is_logged_with_its_request(settings, worker, log, monkeypatch):
    with serving(settings, worker) as api:

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(Clients, "page", fail)
        answer = api.get("/clients", headers={"x-request-id": "r2"})
    assert (answer.status_code, answer.json()["code"], answer.headers["x-request-id"]) == (500, "internal", "r2")
    (line,) = of_requests(log)
    assert (line["level"], line["request_id"], line["message"]) == ("error", "r2", "GET /clients failed")
    assert "RuntimeError: broken" in line["exception"]
