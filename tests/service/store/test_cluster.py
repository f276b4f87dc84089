"""The service over a Redis Cluster of three nodes. One node dies and comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import NamedTuple

import httpx
import pytest
from redis.crc import key_slot

from service.api.auth import OPEN_TENANT
from service.store.keys import EXPIRIES_KEY, index_key, record_key
from service.store.records import ClientKey
from tests.service.drawings import letters, png
from tests.service.redises import SLOTS, cluster, until, url_of_cluster
from tests.service.serving import serving

NODES = range(3)


def node_of(key: str) -> int:
    return key_slot(key.encode()) * len(NODES) // SLOTS


def clients_of(node: int, wanted: int) -> list[str]:
    ids = (f"client-{n}" for n in count())
    here = (each for each in ids if node_of(record_key(ClientKey(OPEN_TENANT, each))) == node)
    return [next(here) for _ in range(wanted)]


LOST = next(node for node in NODES if node not in map(node_of, (EXPIRIES_KEY, index_key(OPEN_TENANT))))
"""The node that dies: one that has clients and no list of them."""
THEIRS = clients_of(LOST, 4)
OTHERS = [each for node in NODES if node != LOST for each in clients_of(node, 4)]
CALLS = ["predict", "look", "append", "adapt", "forget"]


def call(api: httpx.Client, name: str, who: str) -> httpx.Response:
    support = {"client_id": who, "support": letters("LV")}
    match name:
        case "predict":
            return api.post("/predict", json={"client_id": who, "inputs": [png("L"), png("V")]})
        case "look":
            return api.get(f"/clients/{who}")
        case "append":
            return api.post("/adapt", json=support | {"mode": "append"})
        case "adapt":
            return api.post("/adapt", json=support)
    return api.delete(f"/clients/{who}")


def answers(api: httpx.Client, some: list[str]) -> list[list[dict]]:
    return [call(api, "predict", who).json().get("predictions") for who in some]


class Outage(NamedTuple):
    before: list
    lost: dict[str, list[httpx.Response]]
    others: dict[str, list[httpx.Response]]
    listed: httpx.Response
    ready: httpx.Response
    new: list[int]
    after: list
    again: list[httpx.Response]


@pytest.fixture(scope="module")
def outage(settings, worker) -> Iterator[Outage]:
    with (
        cluster() as nodes,
        serving(over := settings.model_copy(update={"redis_url": url_of_cluster(nodes)}), worker) as api,
        ThreadPoolExecutor(8) as pool,
    ):
        adapted = list(pool.map(lambda who: call(api, "adapt", who).status_code, THEIRS + OTHERS))
        assert adapted == [200] * len(adapted)
        before = answers(api, THEIRS)
        nodes[LOST].terminate()
        seen = {name: list(pool.map(lambda who, name=name: call(api, name, who), THEIRS + OTHERS)) for name in CALLS}
        listed, ready = api.get("/clients"), api.get("/readyz")
        call(api, "adapt", OTHERS[0])
        with serving(over, worker) as newcomer:
            new = [call(newcomer, "predict", who).status_code for who in (THEIRS[0], OTHERS[0])]
        nodes[LOST].start()
        until(lambda: call(api, "predict", THEIRS[0]).is_success)
        after = answers(api, THEIRS)
        again = [call(api, name, THEIRS[0]) for name in CALLS]
        lost = {name: responses[: len(THEIRS)] for name, responses in seen.items()}
        others = {name: responses[len(THEIRS) :] for name, responses in seen.items()}
        yield Outage(before, lost, others, listed, ready, new, after, again)


@pytest.mark.parametrize("name", CALLS)
def test_clients_of_a_node_that_is_down_get_503_with_retry_after(outage, name):
    for answer in outage.lost[name]:
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("name", CALLS)
def test_clients_of_other_nodes_are_not_affected(outage, name):
    assert {answer.status_code for answer in outage.others[name]} == {204 if name == "forget" else 200}


def test_an_incomplete_list_is_refused(outage):
    assert outage.listed.status_code == 503


def test_the_service_is_ready_while_one_node_answers(outage):
    assert outage.ready.status_code == 200


def test_a_process_that_starts_during_the_outage_serves_clients_of_other_nodes(outage):
    assert outage.new == [503, 200]


def test_clients_of_the_node_are_served_again_when_it_is_back(outage):
    assert None not in outage.before
    assert outage.after == outage.before
    assert [answer.status_code for answer in outage.again] == [200, 200, 200, 200, 204]
