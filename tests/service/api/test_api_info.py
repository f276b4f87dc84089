"""Lists, models, health, metrics and the OpenAPI document."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.cards import Catalogue
from service.errors import Busy, DeadlineExceeded, Unavailable
from tests.service.drawings import letters, png
from tests.service.redises import until
from tests.service.serving import serving


def adapt(api, client_id: str):
    return api.post("/adapt", json={"client_id": client_id, "support": letters("LV", 1)})


def test_the_list_is_empty_at_first(api):
    assert api.get("/clients").json() == {"clients": [], "next_cursor": None}


def test_the_list_shows_the_same_fields_as_a_client(api):
    for client_id in ("bob", "alice"):
        adapt(api, client_id)
    shown = [api.get(f"/clients/{client_id}").json() for client_id in ("alice", "bob")]
    assert api.get("/clients").json() == {"clients": shown, "next_cursor": None}


def test_pages_follow_the_cursor_to_the_end(api):
    for client_id in "abcde":
        adapt(api, client_id)
    found, page = [], api.get("/clients", params={"limit": 2}).json()
    while page["clients"]:
        found += [client["client_id"] for client in page["clients"]]
        if page["next_cursor"] is None:
            break
        page = api.get("/clients", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert found == list("abcde")


def test_models_are_listed_with_their_cards(api, zoo):
    cards = {card["name"]: card for card in api.get("/models").json()}
    assert cards.keys() == {"glyphs", "glyphs-maml", "sinusoid"}
    assert cards["glyphs"]["input"] == {"type": "drawing", "size": 28}
    assert (cards["glyphs"]["max_ways"], cards["glyphs-maml"]["max_ways"]) == (None, 5)
    assert (cards["sinusoid"]["kind"], cards["sinusoid"]["outputs"]) == ("regression", 1)
    assert cards["sinusoid"]["checkpoint"] == Catalogue(zoo)["sinusoid"].checkpoint


@pytest.mark.parametrize("name", ["glyphs", "glyphs-maml", "sinusoid"])
def test_a_card_is_found_by_the_name_of_its_model(api, name):
    assert api.get(f"/models/{name}").json() in api.get("/models").json()
    assert api.get(f"/models/{name}").json()["name"] == name


def test_a_running_service_is_alive_and_ready(api):
    assert api.get("/healthz").json() == {"status": "alive"}
    assert api.get("/readyz").json() == {"status": "ready"}
    assert api.head("/healthz").is_success
    assert api.head("/readyz").is_success


def metric(api, name: str) -> float:
    [value] = re.findall(rf"^{re.escape(name)} (\S+)$", api.get("/metrics").text, re.MULTILINE) or ["0"]
    return float(value)


def test_metrics_count_requests_by_route_and_not_by_client(api):
    name = 'handful_http_requests_total{method="GET",route="/clients/{client_id}",status="404"}'
    before = metric(api, name)
    api.get("/clients/someone-private")
    assert metric(api, name) == before + 1
    assert "someone-private" not in api.get("/metrics").text


def test_clients_are_counted_over_all_tenants(settings, worker, redis, api):
    adapt(api, "alice"), adapt(api, "bob")
    with serving(settings, worker) as counted:
        until(lambda: metric(counted, "handful_clients") == 2)


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(child)


def test_openapi_names_every_operation_and_resolves_every_reference(api):
    document = api.get("/openapi.json").json()
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    clients = ["adapt", "forget_client", "get_client", "list_clients", "predict"]
    examples = ["list_examples", "get_example", "relabel_example", "remove_example", "rename_class", "remove_class"]
    examples += ["give_feedback", "suggest"]
    versions = ["list_versions", "rollback", "copy_client", "move_client", "readapt", "export_client", "import_client"]
    quality = ["get_quality", "evaluate"]
    assert {*names} >= {*clients, *examples, *versions, *quality, "list_models", "get_model", "healthz", "readyz"}
    assert {*names} >= {"get_usage", "get_limits", "create_key", "list_keys", "rotate_key", "revoke_key", "set_quota"}
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert {part["$ref"] for part in parts(document) if isinstance(part.get("$ref"), str)} <= schemas


def test_openapi_documents_every_error_as_problem_json(api):
    paths = api.get("/openapi.json").json()["paths"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    ours = [operations for path, operations in paths.items() if not path.startswith("/v2")]  # has errors of its own
    for operation in (operation for operations in ours for operation in operations.values()):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert all(answer["content"] == problem for answer in errors.values()), operation["operationId"]
    statuses = set(paths["/adapt"]["post"]["responses"])
    assert statuses >= {"200", "400", "401", "404", "409", "413", "422", "429", "503", "504"}


class Failing:
    """An engine that fails every predict once it is armed, and knows how many adapts it had at a time."""

    def __init__(self, engine, error=None) -> None:
        self._engine, self._error, self.armed = engine, error, False
        self.now = self.most = 0

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    async def adapt(self, *args, **options):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self._engine.adapt(*args, **options)
        finally:
            self.now -= 1

    async def predict(self, *args, **options):
        if self.armed:
            raise self._error
        return await self._engine.predict(*args, **options)


def test_concurrent_readiness_checks_share_one_probe(settings, worker, redis):
    engine = Failing(worker)
    with serving(settings, engine) as api, ThreadPoolExecutor(5) as threads:
        assert {answer.status_code for answer in threads.map(lambda _: api.get("/readyz"), range(50))} == {200}
    assert engine.most == 1


@pytest.mark.parametrize(
    ("error", "status", "code", "readiness"),
    [
        (Busy("full"), 429, "busy", 200),
        (Unavailable("gone"), 503, "unavailable", 503),
        (DeadlineExceeded("late"), 504, "deadline_exceeded", 503),
    ],
)
def test_failures_of_the_worker_have_a_retry_after(settings, worker, redis, error, status, code, readiness):
    engine = Failing(worker, error)
    with serving(settings, engine) as api:
        adapt(api, "alice")
        engine.armed = True
        answer = api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert int(answer.headers["retry-after"]) >= 1
        assert api.get("/readyz").status_code == readiness
        assert api.get("/healthz").status_code == 200
