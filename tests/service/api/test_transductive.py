"""A transductive model answers each request as if it were the only one, and says which answers are transductive."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from models import checkpoint
from models.checkpoint import Spec
from models.learner import Learner, State, Support
from models.recipes import RECIPES
from service.arrays import SupportSet
from service.engine import stacked_jobs
from service.settings import Settings
from tests.service.drawings import letters, png
from tests.service.serving import serving, working
from tests.service.zoo import make_model

SIZES = [(ways, shots, queries) for ways in (2, 3) for shots, queries in ((1, 1), (2, 7), (3, 3), (3, 3), (2, 4))]
"""Of clients that ask at once: some alike, so that a batch could be made of them."""


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`glyphs`, which is inductive, and `tim`, which is not."""
    folder, glyphs = tmp_path_factory.mktemp("zoo"), RECIPES["glyphs"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make_model(folder, "glyphs", replace(glyphs, spec=Spec("protonet", "conv4")))
        make_model(folder, "tim", replace(glyphs, spec=Spec("tim", "conv4", {"eval_inner_steps": 10})))
    return folder


@pytest.fixture(scope="module")
def two_served(two_models: Path, redis_url: str) -> Iterator[httpx.Client]:
    settings = Settings(models=two_models, redis_url=redis_url)
    with working(settings) as worker, serving(settings, worker) as client:
        yield client


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each computation of answers has."""
    sizes: list[int] = []
    original = stacked_jobs.predict_many

    def counted(learner: Learner, states: State, queries: torch.Tensor) -> torch.Tensor:
        sizes.append(len(queries))
        return original(learner, states, queries)

    monkeypatch.setattr(stacked_jobs, "predict_many", counted)
    return sizes


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)


def alone(learner: Learner, support: SupportSet, queries: np.ndarray) -> np.ndarray:
    """What the learner itself answers to one client's one request."""
    shown, asked = (torch.tensor(each / 255, dtype=torch.float32) for each in (support.inputs, queries))
    mask = torch.ones(len(shown), dtype=torch.bool)
    learned = Support(shown, torch.tensor(support.targets), mask, support.ways)
    return learner.answer(learned, asked).numpy()


@pytest.mark.anyio
async def test_concurrent_requests_get_the_answers_of_the_learner_for_each_alone(two_models, batches):
    learner = checkpoint.load(two_models / "tim.safetensors")
    tasks = [
        (SupportSet(images(ways * shots, seed), np.arange(ways * shots) % ways, ways), images(queries, 100 + seed))
        for seed, (ways, shots, queries) in enumerate(SIZES * 2)
    ]
    with working(Settings(models=two_models)) as worker:
        await asyncio.gather(*(worker.adapt("tim", str(client), each) for client, (each, _) in enumerate(tasks)))
        asked = (worker.predict("tim", str(client), queries) for client, (_, queries) in enumerate(tasks))
        answers = await asyncio.gather(*asked)
    for (support, queries), answer in zip(tasks, answers, strict=True):
        np.testing.assert_allclose(answer, alone(learner, support, queries), atol=1e-3, rtol=1e-3)
    assert batches == [1] * len(tasks)


def inference_of(client: httpx.Client, model: str, count: int) -> str:
    client.post("/adapt", json={"client_id": "alice", "model": model, "support": letters("LVZ")}).raise_for_status()
    body = client.post("/predict", json={"client_id": "alice", "inputs": [png("L")] * count}).json()
    assert len(body["predictions"]) == count
    return body["inference"]


@pytest.mark.parametrize(("model", "count", "inference"), [
    ("glyphs", 1, "inductive"),
    ("glyphs", 3, "inductive"),
    ("tim", 1, "inductive"),
    ("tim", 2, "inductive"),
    ("tim", 3, "transductive"),
])  # fmt: skip
def test_an_answer_says_whether_it_is_transductive(two_served, model, count, inference):
    assert inference_of(two_served, model, count) == inference


def test_the_description_says_how_many_are_answered_inductively(two_served):
    answer = two_served.get("/openapi.json").json()["components"]["schemas"]["PredictResponse"]
    assert answer["properties"]["inference"]["enum"] == ["inductive", "transductive"]
    assert "answers fewer inputs than classes inductively" in answer["properties"]["inference"]["description"]


def test_the_card_of_a_transductive_model_says_so(two_served):
    assert {card["name"]: card["transductive"] for card in two_served.get("/models").json()} == {
        "glyphs": False,
        "tim": True,
    }


def test_a_stream_is_refused_because_its_answers_would_depend_on_how_it_arrives(two_served):
    support = {"client_id": "streamed", "model": "tim", "support": letters("LV")}
    two_served.post("/adapt", json=support).raise_for_status()
    headers = {"content-type": "application/x-ndjson"}
    refusal = two_served.post("/predict?client_id=streamed", content=f'"{png("L")}"', headers=headers)
    assert (refusal.status_code, refusal.json()["code"]) == (422, "invalid")
    assert "tim answers the inputs of a request together" in refusal.json()["detail"]
