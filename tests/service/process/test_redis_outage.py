"""A Redis outage, as a client of the service sees it."""

import pytest

from tests.service.drawings import letters, png
from tests.service.serving import serving, url_of, valkey

ADAPT = {"client_id": "alice", "support": letters("LV")}
PREDICT = {"client_id": "alice", "inputs": [png("L")]}
CALLS = {
    "adapt": ("POST", "/adapt", ADAPT),
    "append": ("POST", "/adapt", ADAPT | {"mode": "append"}),
    "predict": ("POST", "/predict", PREDICT),
    "list": ("GET", "/clients", None),
    "look": ("GET", "/clients/alice", None),
    "forget": ("DELETE", "/clients/alice", None),
    "ready": ("GET", "/readyz", None),
}


@pytest.fixture(scope="module")
def outage(settings, worker):
    """Answers before, during and after an outage of Redis."""
    with valkey() as server, serving(settings.model_copy(update={"redis_url": url_of(server)}), worker) as api:
        api.post("/adapt", json=ADAPT)
        before = api.get("/clients").json(), api.post("/predict", json=PREDICT).json()["predictions"]
        server.terminate()
        during = {name: api.request(method, path, json=body) for name, (method, path, body) in CALLS.items()}
        alive = api.get("/healthz").status_code, api.get("/models").status_code
        server.start()
        after = api.get("/clients").json(), api.post("/predict", json=PREDICT).json()["predictions"]
        yield before, during, alive, after, api.get("/readyz").status_code, api.post("/adapt", json=ADAPT).json()


@pytest.mark.parametrize("name", CALLS)
def test_during_the_outage_every_call_is_503_with_retry_after(outage, name):
    answer = outage[1][name]
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


def test_during_the_outage_the_process_is_alive(outage):
    assert outage[2] == (200, 200)


def test_after_the_outage_every_client_is_answered_as_before(outage):
    before, _, _, after, ready, adapted = outage
    assert after == before
    assert ready == 200
    assert adapted["version"] == 2
