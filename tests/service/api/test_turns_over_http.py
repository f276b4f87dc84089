"""Every request that carries inputs waits for the turn of its tenant, whatever its format."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.api.tenant_shares import TenantShares
from tests.service.drawings import wave

ALICE = {"client_id": "alice"}
INPUTS = [[number / 60] for number in range(60)]
SAFETENSORS = {"content-type": "application/safetensors"}


@pytest.fixture
def turns(monkeypatch) -> Iterator[Counter[int]]:
    """The turns that were taken, by their number of examples; none is held at the end."""
    found, held = Counter[int](), Counter[str]()
    turn = TenantShares.turn

    @asynccontextmanager
    async def watched(self: TenantShares, tenant: str, examples: int) -> AsyncIterator[None]:
        found[examples] += 1
        async with turn(self, tenant, examples):
            held["turns"] += 1
            try:
                yield
            finally:
                held["turns"] -= 1

    monkeypatch.setattr(TenantShares, "turn", watched)
    yield found
    assert not held["turns"]


@pytest.fixture
def bob(api) -> httpx.Client:
    api.post("/adapt", json=ALICE | {"model": "sinusoid", "support": wave()}).raise_for_status()
    return api


def infer(api: httpx.Client) -> httpx.Response:
    tensor = {"name": "input", "shape": [60, 1], "datatype": "FP32", "data": [each for [each] in INPUTS]}
    return api.post("/v2/models/sinusoid/infer", json={"parameters": ALICE, "inputs": [tensor]})


def lines(api: httpx.Client) -> httpx.Response:
    body = "".join(json.dumps(each) + "\n" for each in INPUTS)
    headers = {"content-type": "application/x-ndjson"}
    return api.post("/predict", params=ALICE, content=body, headers=headers)


def adapt(api: httpx.Client, client: str = "alice") -> httpx.Response:
    support = [{"input": each, "label": each} for each in INPUTS]
    return api.post("/adapt", json={"client_id": client, "model": "sinusoid", "support": support})


def load(api: httpx.Client) -> httpx.Response:
    adapt(api, "carol").raise_for_status()
    file = api.get("/clients/carol/export").raise_for_status().content
    return api.post("/clients/dora/import", content=file, headers=SAFETENSORS)


REQUESTS: dict[str, tuple[Callable[[httpx.Client], httpx.Response], int]] = {
    "adapt": (adapt, 60),
    "predict": (lambda api: api.post("/predict", json=ALICE | {"inputs": INPUTS}), 60),
    "an answer in lines": (
        lambda api: api.post("/predict", json=ALICE | {"inputs": INPUTS}, headers={"accept": "application/x-ndjson"}),
        60,
    ),
    "infer": (infer, 60),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_takes_a_turn_of_its_size(name: str, bob: httpx.Client, turns: Counter[int]):
    request, examples = REQUESTS[name]
    request(bob).raise_for_status()
    assert turns[examples] >= 1


def test_lines_take_turns_for_each_piece(bob: httpx.Client, turns: Counter[int]):
    lines(bob).raise_for_status()
    assert sum(examples * count for examples, count in turns.items()) == len(INPUTS)


def test_a_file_of_a_client_takes_a_turn_of_its_examples(bob: httpx.Client, turns: Counter[int]):
    load(bob).raise_for_status()
    assert turns[60] >= 2  # the adapt and the import


def test_a_refused_request_gives_its_turn_back(bob: httpx.Client, turns: Counter[int]):
    refused: Any = bob.post("/predict", json=ALICE | {"inputs": [["no number"]]})
    assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert sum(turns.values()) == 2
