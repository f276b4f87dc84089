"""The service over a master that Sentinels know: it dies, and its replica takes over."""

from redis import Redis

from tests.service.drawings import letters, png
from tests.service.redises import node, port_of, sentinel, until, url_of_sentinel
from tests.service.serving import serving

ADAPT = {"client_id": "alice", "support": letters("LV")}
PREDICT = {"client_id": "alice", "inputs": [png("L"), png("V")]}


def test_a_client_gets_the_same_answers_after_a_failover(settings, worker):
    with (
        node(**{"repl-diskless-sync-delay": 0}) as master,
        node(replicaof=f"127.0.0.1 {port_of(master)}"),
        sentinel(master) as watching,
        Redis(port=port_of(watching)) as sentinels,
        Redis(port=port_of(master)) as redis,
        serving(settings.model_copy(update={"redis_url": url_of_sentinel(watching)}), worker) as api,
    ):
        assert api.post("/adapt", json=ADAPT).json()["version"] == 1
        expected = api.post("/predict", json=PREDICT).json()["predictions"]
        until(lambda: redis.wait(1, 100))
        until(lambda: [one["master-link-status"] for one in sentinels.sentinel_slaves("main")] == ["ok"])
        master.terminate()
        meanwhile = []
        until(lambda: (meanwhile.append(api.post("/predict", json=PREDICT)), meanwhile[-1].is_success)[1])
        assert meanwhile.pop().json()["predictions"] == expected
        assert {answer.status_code for answer in meanwhile} <= {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in meanwhile)
        assert api.post("/adapt", json=ADAPT).json()["version"] == 2
        assert api.get("/readyz").status_code == 200
