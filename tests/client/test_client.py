"""The Python client against a real service, and against answers that are not the service's own."""

import asyncio
import gc
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from handful import AsyncHandful, Handful, RefusedError, blocking, event_loop
from handful.inputs import plain
from tests.service.drawings import draw, letters, png

PAIRS = [(example["input"], example["label"]) for example in letters("LV")]
MASK = np.asarray(draw("V")) < 128


def test_a_client_is_adapted_asked_and_forgotten(api):
    with Handful(str(api.base_url)) as handful:
        assert handful.adapt("alice", PAIRS, model="glyphs")["classes"] == ["L", "V"]
        assert handful.predict("alice", [png("V")])[0]["label"] == "V"
        handful.forget("alice")
        with pytest.raises(RefusedError) as refused:
            handful.predict("alice", [png("V")])
    assert (refused.value.status, refused.value.code) == (404, "unknown_client")


def test_a_client_that_is_not_closed_closes_its_connections_when_it_is_gone(api):
    handful = Handful(str(api.base_url))
    handful.models()
    connections = handful._http
    del handful
    gc.collect()
    assert connections.is_closed


def test_arrays_and_numbers_are_inputs_too(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("bob", [(np.float32(x), np.sin(x)) for x in range(5)], model="sinusoid")
        assert len(handful.predict("bob", [0.5, np.array([1.5]), np.array([True])])) == 3


def file_of(folder: Path) -> Path:
    path = folder / "v.png"
    draw("V").save(path)
    return path


def raw(folder: Path) -> bytes:
    return file_of(folder).read_bytes()


IMAGES: dict[str, Callable[[Path], Any]] = {
    "a path": file_of,
    "a path as text": lambda folder: str(file_of(folder)),
    "an open file": lambda folder: io.BytesIO(raw(folder)),
    "bytes": raw,
    "a bytearray": lambda folder: bytearray(raw(folder)),
    "a PIL image": lambda _: draw("V"),
    "a CMYK image": lambda _: draw("V").convert("CMYK"),
    "an array": lambda _: np.asarray(draw("V")),
    "a channel first": lambda _: np.asarray(draw("V"))[None],
    "a channel last": lambda _: np.asarray(draw("V"))[..., None],
    "a mask of ink": lambda _: MASK,
    "a list of rows": lambda _: np.asarray(draw("V")).tolist(),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_images_come_in_many_forms(api, tmp_path, image):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        assert handful.predict("alice", [image(tmp_path)])[0]["label"] == "V"


def test_the_client_asks_for_the_most_probable_classes(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        assert len(handful.predict("alice", [png("V")], top_k=1)[0]["probabilities"]) == 1


def test_a_client_id_cannot_reach_another_path(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        with pytest.raises(RefusedError):
            handful.forget("alice?x")
        with pytest.raises(RefusedError):
            handful.forget("")
        assert handful.predict("alice", [png("L")])


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(api):
    async with AsyncHandful(str(api.base_url)) as handful:
        await handful.adapt("alice", PAIRS)
        assert (await handful.predict("alice", [png("L")]))[0]["label"] == "L"
        await handful.forget("alice")
        with pytest.raises(RefusedError, match="unknown_client"):
            await handful.predict("alice", [png("L")])


class Answering(ThreadingHTTPServer):
    """Answers POSTs with `answers`, one after the other, and keeps the headers of all requests."""

    def __init__(self, answers: list[httpx.Response]) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.answers, self.seen = answers, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Scripted(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(self.headers)
        answer = self.server.answers.pop(0)
        self.send_response_only(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[Callable[..., Answering]]:
    servers: list[Answering] = []

    def start(*answers: httpx.Response) -> Answering:
        server = Answering(list(answers))
        Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown(), server.server_close()


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Pauses between attempts, which are noted and not made."""
    found: list[float] = []
    monkeypatch.setattr(blocking, "time", SimpleNamespace(sleep=found.append))
    return found


PROBLEM = {"content-type": "application/problem+json; charset=utf-8"}
DETAIL = json.dumps({"code": "busy", "detail": "Too much."})
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


FULL = httpx.Response(429, headers=PROBLEM, content=DETAIL)
AWAY = httpx.Response(503, headers=PROBLEM, content=DETAIL)
DONE = httpx.Response(200, content=json.dumps({"predictions": [{"value": 1}]}))


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


@pytest.mark.parametrize("name", ["notes.txt", "png", "other.png"])
def test_a_text_is_sent_unchanged_unless_it_is_the_path_of_an_image(tmp_path, name):
    if name != "other.png":
        (tmp_path / name).touch()
    assert plain(str(tmp_path / name)) == str(tmp_path / name)


def test_examples_and_versions_have_calls_of_their_own(api, tmp_path):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", [(*pair, f"e{i}") for i, pair in enumerate(PAIRS)], model="glyphs")
        tag = handful.client("alice")["etag"]
        assert [each["id"] for each in handful.examples("alice", label="V")["examples"]] == ["e2", "e3"]
        assert handful.relabel("alice", "e0", "V", if_match=tag)["version"] == 2
        with pytest.raises(RefusedError) as lost:
            handful.remove("alice", "e0", if_match=tag)
        assert lost.value.status == 412
        assert handful.rename_class("alice", "V", "A/B")["classes"] == ["A/B", "L"]
        assert handful.predict("alice", [png("V")], version=1)[0]["label"] == "V"
        assert handful.remove("alice", "e0", keep_history=True)["receipt"]["examples"] == ["e0"]
        assert handful.remove_class("alice", "A/B", keep_history=True)["classes"] == ["L"]
        assert handful.rollback("alice", 1)["classes"] == ["L", "V"]
        assert [each["version"] for each in handful.versions("alice")["versions"]] == [6, 5, 4, 3, 2, 1]
        assert handful.copy("alice", "bob", version=1)["version"] == 1
        assert handful.move("bob", "glyphs-maml")["model"] == "glyphs-maml"
        assert handful.readapt("bob")["readapted"] is False
        handful.export("alice", tmp_path / "alice.safetensors")
        assert handful.restore("carol", (tmp_path / "alice.safetensors").read_bytes())["classes"] == ["L", "V"]
        assert (
            handful.example("carol", "e0", inputs=True)["input"] == handful.example("alice", "e0", inputs=True)["input"]
        )
        assert [each["client_id"] for each in handful.clients(limit=2)["clients"]] == ["alice", "bob"]
        with pytest.raises(RefusedError):
            handful.export("nobody", tmp_path / "nobody.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["alice.safetensors"]


def test_suggest_takes_inputs_without_labels(api):
    names = ["L0", "V0", "L1", "V1", "L2"]
    pool = [png(letter, int(shift)) for letter, shift in names]
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", [])
        found = handful.suggest("alice", pool, 2, ids=names)["suggestions"]
        assert {each["id"][0] for each in found} == {"L", "V"}
        assert [names[each["index"]] for each in found] == [each["id"] for each in found]


def test_feedback_takes_the_id_of_a_prediction(api):
    with Handful(str(api.base_url)) as handful:
        tag = handful.adapt("alice", PAIRS, keep_queries_s=60)["etag"]
        [prediction] = handful.predict("alice", [png("Z")])
        assert handful.feedback("alice", prediction["id"], "Z", if_match=tag)["classes"] == ["L", "V", "Z"]


@pytest.mark.anyio
async def test_the_client_for_event_loops_has_the_same_calls(api):
    async with AsyncHandful(str(api.base_url)) as handful:
        await handful.adapt("alice", PAIRS, keep_queries_s=60)
        [prediction] = await handful.predict("alice", [png("Z")])
        name = (await handful.feedback("alice", prediction["id"], "Z"))["ids"][0]
        await handful.remove("alice", name)
        assert len((await handful.suggest("alice", [png("N"), png("Z")]))["suggestions"]) == 2
        first = (await handful.examples("alice"))["examples"][0]["id"]
        assert (await handful.remove("alice", first))["receipt"]["examples"] == [first]
        file = await handful.export("alice")
        assert (await handful.restore("bob", file, mode="replace"))["examples"] == len(PAIRS) - 1
        with pytest.raises(RefusedError):
            await handful.export("nobody")
