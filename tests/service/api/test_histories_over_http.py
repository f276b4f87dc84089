"""Concurrent HTTP requests to two APIs over one Redis behave as if they ran one after another."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx
import pytest

from tests.service.serving import serving
from tests.service.store.histories import Operation, linearizable

SEEDS, CALLERS, CALLS = 8, 6, 5
NAMES = ["adapt", "append", "delete", "get", "list"]
ADAPT = {"client_id": "alice", "model": "sinusoid", "support": [{"input": 0, "label": 0}]}
ADAPT |= {"keep_duplicates": True}


@pytest.fixture
def apis(api, settings, worker) -> Iterator[list[httpx.Client]]:
    with serving(settings, worker) as other:
        yield [api, other]


def call(api: httpx.Client, name: str) -> object:
    """What the operation answered, as the search expects it."""
    match name:
        case "adapt" | "append":
            answer = api.post("/adapt", json=ADAPT | {"mode": "append" if name == "append" else "replace"})
            return answer.json()["version"] if answer.status_code == 200 else _refusal(answer)
        case "delete":
            answer = api.delete("/clients/alice")
            return True if answer.status_code == 204 else _refusal(answer)
        case "get":
            answer = api.get("/clients/alice")
            return _shown(answer.json()) if answer.status_code == 200 else _refusal(answer)
    listed = api.get("/clients").json()["clients"]
    return _shown(listed[0]) if listed else None


def _refusal(answer: httpx.Response) -> str | None:
    assert answer.json()["code"] in ("unknown_client", "contended")
    return None if answer.status_code == 404 else "contended"


def _shown(client: dict) -> tuple[int, int]:
    return client["version"], client["examples"]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_order_explains_every_concurrent_history(apis, seed):
    chance, clock, history = random.Random(seed), count(), []

    def run(api: httpx.Client, names: list[str]) -> None:
        for name in names:
            began = next(clock)
            result = call(api, name)
            if result != "contended":  # nothing was changed
                history.append(Operation(name, began, result, began, next(clock)))

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(run, apis[i % 2], chance.choices(NAMES, k=CALLS)) for i in range(CALLERS)]
    for each in calls:
        each.result()
    assert linearizable(history), sorted(history, key=lambda operation: operation.began)
