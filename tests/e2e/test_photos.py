"""Photos over HTTP: the examples of the repository, and episodes as `handful evaluate` draws them."""

import base64
import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.learner import Episode
from service.cards import Card
from service.settings import ZOO
from tests.data import find
from tests.e2e.server import Server
from tests.service.drawings import encoded

pytestmark = pytest.mark.slow

PHOTOS = Path(__file__).parents[2] / "examples/photos"
GROCERY = find("grocery128.npz")
LABELS = ["kiwi", "pomegranate", "cucumber"]
"""Of the photos in predict.json."""
EPISODES = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    for kind in ("json", "safetensors"):
        shutil.copy(ZOO / f"photos.{kind}", models)
    running = Server(tmp_path_factory.mktemp("photos") / "data", models=str(models), default_model="photos")
    running.start()
    yield running
    running.stop()


def body(name: str) -> dict:
    return json.loads((PHOTOS / f"{name}.json").read_text())


def post(server: Server, path: str, sent: dict) -> httpx.Response:
    return httpx.post(f"{server.url}/{path}", json=sent, timeout=120)


def labels(answer: httpx.Response) -> list[str]:
    return [each["label"] for each in answer.raise_for_status().json()["predictions"]]


def test_the_photos_of_the_examples_are_those_in_the_files():
    sent = [each["input"] for name in ("adapt", "append") for each in body(name)["support"]] + body("predict")["inputs"]
    files = {base64.b64encode(path.read_bytes()).decode() for path in PHOTOS.glob("*.jpg")}
    assert set(sent) == files
    assert len(sent) == 12


def test_new_photos_of_four_new_classes_are_told_apart_before_and_after_an_append(server):
    adapted = post(server, "adapt", body("adapt")).raise_for_status().json()
    assert adapted["classes"] == ["cucumber", "kiwi", "pomegranate", "red-bell-pepper"]
    assert labels(post(server, "predict", body("predict"))) == LABELS
    appended = post(server, "adapt", body("append")).raise_for_status().json()
    assert (appended["version"], appended["examples"]) == (2, 9)
    assert labels(post(server, "predict", body("predict"))) == LABELS


@pytest.mark.parametrize("sent", ["where is my parcel?", {"age": 41}, [[0, 1], [1, 0]], None])
def test_what_is_no_photo_is_refused_by_name(server, sent):
    post(server, "adapt", body("adapt") | {"client_id": "other"}).raise_for_status()
    refused = post(server, "predict", {"client_id": "other", "inputs": [sent]})
    assert (refused.status_code, refused.json()["field"]) == (422, "inputs[0]")


@pytest.mark.skipif(GROCERY is None, reason="needs grocery128.npz: set HANDFUL_DATA to its folder")
def test_episodes_of_new_classes_reach_the_figure_of_the_card(server):
    card = Card.read(ZOO / "photos.json")
    sampler = dataset_of("photos").episodes(GROCERY, "grocery-test", card.input.model_dump())
    scores = [score(server, f"shop-{i}", sampler.episode(rng_of(5, i), Shape(5, 1, 3))) for i in range(EPISODES)]
    measured = next(f for f in card.figures if (f.setting, f.metric) == ("grocery-test, 5-way 1-shot", "accuracy"))
    spread = measured.ci95 * (measured.episodes / EPISODES) ** 0.5 * 1.5  # three queries in place of five
    assert np.mean(scores) == pytest.approx(measured.mean, abs=spread)


def score(server: Server, client: str, episode: Episode) -> float:
    """The accuracy on an episode whose photos are sent as files."""
    support = [
        {"input": one, "label": str(target)}
        for one, target in zip(files(episode.support.inputs), episode.support.targets.tolist(), strict=True)
    ]
    post(server, "adapt", {"client_id": client, "support": support}).raise_for_status()
    found = labels(post(server, "predict", {"client_id": client, "inputs": files(episode.query)}))
    return float(np.mean([int(label) == target for label, target in zip(found, episode.targets.tolist(), strict=True)]))


def files(photos: torch.Tensor) -> list[str]:
    """Each photo as a PNG, which loses nothing."""
    rounded = (photos.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    return [encoded(Image.fromarray(each)) for each in rounded]
