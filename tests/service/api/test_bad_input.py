"""A bad request is refused as a clear problem, and changes nothing."""

from collections.abc import Iterator

import httpx
import pytest

from service.settings import Settings
from tests.service.drawings import letters, png, wave
from tests.service.mistakes import LIMIT, MISTAKES
from tests.service.serving import serving


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, max_body_bytes=LIMIT, max_examples=20, max_queries=10)


@pytest.fixture(scope="module")
def served(settings, worker, redis) -> Iterator[httpx.Client]:
    redis.flushall()
    with serving(settings, worker) as api:
        api.post("/adapt", json={"client_id": "alice", "support": letters("LV")}).raise_for_status()
        bob = {"client_id": "bob", "support": wave(), "model": "sinusoid"}
        api.post("/adapt", json=bob).raise_for_status()
        yield api


def seen(api: httpx.Client) -> list:
    """All that a client can see of what is stored."""
    asked = {"alice": [png("L"), png("Z")], "bob": [0.5]}
    answers = [api.post("/predict", json={"client_id": who, "inputs": inputs}).json() for who, inputs in asked.items()]
    return [api.get("/clients").json(), *[(answer["version"], answer["predictions"]) for answer in answers]]


def refusal_of(answer: httpx.Response) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert body["code"]
    return body


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_and_changes_nothing(served, mistake):
    before = seen(served)
    body = refusal_of(served.post(mistake.path, **mistake.sent()))
    assert (body["status"], body["code"]) == (mistake.status, mistake.code)
    assert mistake.says in body["detail"]
    assert mistake.field in (None, body.get("field"))
    assert mistake.field is None or body["detail"].startswith(mistake.field)
    assert seen(served) == before


def test_the_refusal_of_too_many_classes_names_models_that_take_them(served):
    body = {"client_id": "new", "model": "glyphs-maml", "support": letters("LVZINO", 1)}
    detail = served.post("/adapt", json=body).json()["detail"]
    assert "6 classes" in detail
    assert "at most 5" in detail
    assert "Models that take 6: glyphs." in detail


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png", "application/x-tar"])
def test_the_refusal_of_a_content_type_names_the_accepted_ones(served, kind):
    answer = served.post("/adapt", content='{"client_id": "new"}', headers={"content-type": kind})
    assert refusal_of(answer)["status"] == 415
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "odd", ["a%20b", "%2e%2e", ".x", "-x", "a%0A", "a%00", "%C3%A4", "%7Ba%7D", "a" * 129, "%ED%A0%80"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_odd_client_id_in_the_path_is_refused(served, method, odd):
    assert refusal_of(served.request(method, f"/clients/{odd}"))["status"] in (404, 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=1001", "limit=many", "limit=1e3", "cursor=%20", "cursor=a%00"]
)
def test_an_odd_page_is_refused(served, query):
    body = refusal_of(served.get(f"/clients?{query}"))
    assert (body["status"], body["code"], body["field"]) == (422, "invalid", query.partition("=")[0])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/adapt", 405), ("PUT", "/clients/alice", 405), ("GET", "/models/glyphz", 404)],
)
def test_unknown_paths_and_methods_are_problems(served, method, path, status):
    assert refusal_of(served.request(method, path))["status"] == status


@pytest.mark.parametrize("who", ["a", "_", "A.b~c@d:e+f-9", "a" * 128, "alice@example.org", "0"])
def test_ordinary_client_ids_are_accepted(served, who):
    body = {"client_id": who, "support": letters("LV", 1)}
    assert served.post("/adapt", json=body).status_code == 200
    assert served.get(f"/clients/{who}").json()["client_id"] == who
    assert served.delete(f"/clients/{who}").status_code == 204


def test_a_body_at_the_limit_is_read(served):
    body = b'{"client_id": "new", "support": [{}]}'
    answer = served.post("/adapt", content=body.ljust(LIMIT), headers={"content-type": "application/json"})
    assert answer.json()["field"] == "support[0].input"


@pytest.mark.parametrize("label", [1e3, 1e4, 1e5, 1e6])
def test_an_answer_that_is_not_finite_is_refused(served, label):
    steep = [{"input": x, "label": x * label} for x in (-1, 1)]
    served.post("/adapt", json={"client_id": "steep", "model": "sinusoid", "support": steep})
    answer = served.post("/predict", json={"client_id": "steep", "inputs": [9e29, -9e29]})
    served.delete("/clients/steep")
    assert answer.status_code in (200, 404, 422)
    assert all(isinstance(each["value"], float) for each in answer.json().get("predictions", []))
