"""Fifty clients at once teach the server characters of alphabets that it has never seen, and it survives SIGKILL."""

import asyncio
import base64
import io
import signal

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.learner import Episode
from models.training.evaluation import score_episode
from service.cards import Card
from service.settings import ZOO
from tests.data import OMNIGLOT, needs_omniglot
from tests.e2e.server import Server

pytestmark = needs_omniglot

SHAPES = [Shape(5, 1, 2)] * 48 + [Shape(20, 2, 1)] * 2
SEED = 11


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    """One task a client, from the 20 evaluation alphabets."""
    card = Card.read(ZOO / "glyphs.json")
    tasks = dataset_of("omniglot").episodes(OMNIGLOT, "alphabets-test", card.input.model_dump())
    return [tasks.episode(rng_of(SEED, i), shape) for i, shape in enumerate(SHAPES)]


def test_clients_are_answered_as_evaluated_and_after_sigkill_as_before(tmp_path, episodes):
    server = Server(tmp_path / "data", deadline_s="600")  # of accuracy, not of the machine's speed
    server.start()
    try:
        asyncio.run(adapt_all(server.url, episodes))
        before = asyncio.run(predict_all(server.url, episodes))
        server.stop(signal.SIGKILL)
        server.start()
        after = asyncio.run(predict_all(server.url, episodes))
    finally:
        server.stop()
    assert [labels(answers) for answers in after] == [labels(answers) for answers in before]
    assert np.allclose(flat(after), flat(before), atol=1e-5)
    over_http = [accuracy(answers, episode) for answers, episode in zip(before, episodes, strict=True)]
    differences = np.abs(np.array(over_http) - evaluated(episodes))
    assert np.count_nonzero(differences > 1e-6) <= 1  # one query may be a tie
    assert np.mean(over_http[:48]) > 0.9
    assert np.mean(over_http[48:]) > 0.9


def evaluated(episodes: list[Episode]) -> list[float]:
    """The accuracy of each episode by the function behind `handful evaluate`."""
    learner = checkpoint.load(ZOO / "glyphs.safetensors")
    with torch.no_grad():
        return [score_episode(learner, episode)["accuracy"] for episode in episodes]


async def adapt_all(url: str, episodes: list[Episode]) -> None:
    """All clients adapt at the same time."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        replies = await asyncio.gather(
            *(http.post("/adapt", json=body) for body in map(adapt_body, range(50), episodes))
        )
    assert [reply.status_code for reply in replies] == [200] * 50


async def predict_all(url: str, episodes: list[Episode]) -> list[list[dict]]:
    """All clients ask at the same time."""
    bodies = [{"client_id": f"client-{i}", "inputs": pngs(episode.query)} for i, episode in enumerate(episodes)]
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        replies = await asyncio.gather(*(http.post("/predict", json=body) for body in bodies))
    assert [reply.status_code for reply in replies] == [200] * 50
    return [reply.json()["predictions"] for reply in replies]


def adapt_body(client: int, episode: Episode) -> dict:
    """A client's support, its labels strings that do not betray the class's index."""
    pairs = zip(pngs(episode.support.inputs), episode.support.targets.tolist(), strict=True)
    support = [{"input": png, "label": label_of(target)} for png, target in pairs]
    return {"client_id": f"client-{client}", "model": "glyphs", "support": support}


def pngs(images: torch.Tensor) -> list[str]:
    """Drawings as base64 PNG, dark on light."""
    return [base64.b64encode(png(image)).decode() for image in images]


def png(image: torch.Tensor) -> bytes:
    """One drawing as PNG."""
    file = io.BytesIO()
    Image.fromarray((255 - 255 * image[0]).round().byte().numpy()).save(file, "PNG")
    return file.getvalue()


def label_of(target: int) -> str:
    """A label. The labels sort in another order than the classes."""
    return f"sign {(target * 7) % 20:02}"


def labels(answers: list[dict]) -> list[str]:
    """The answered labels."""
    return [answer["label"] for answer in answers]


def flat(answers: list[list[dict]]) -> list[float]:
    """Every answer's probability."""
    return [answer["probability"] for client in answers for answer in client]


def accuracy(answers: list[dict], episode: Episode) -> float:
    """The share of queries answered rightly."""
    right = [label_of(target) for target in episode.targets.tolist()]
    return float(np.mean([given == wanted for given, wanted in zip(labels(answers), right, strict=True)]))
