"""The code of CONTRIBUTING.md runs as it stands, with the one registry line that the page names."""

import asyncio
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from models.checkpoint import Spec, build
from models.datasets import DATASETS, dataset_of
from models.datasets.episode import Shape
from models.encoders import ENCODERS
from models.learners import LEARNERS
from models.testing.laws import LAWS, Case
from service import app as wiring
from service.cards import Card, Catalogue
from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.registry import INPUT_KINDS
from service.settings import ZOO, Settings
from tests.models.learners import STRIDED

GUIDE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
BLOCKS = dict(re.findall(r"^## Add an? (.*?)\n.*?```python\n(.*?)```", GUIDE, re.MULTILINE | re.DOTALL))


def defined(thing: str) -> dict[str, Any]:
    """The names that the block under the heading "Add a ..." defines."""
    names: dict[str, Any] = {"__name__": f"contributing_{thing.replace(' ', '_')}"}
    exec(compile(BLOCKS[thing], f"CONTRIBUTING.md: {thing}", "exec"), names)
    return names


def line_of(thing: str, entry: str) -> None:
    """The guide must name the registry line that the test adds."""
    section = re.search(rf"^## Add an? {thing}\n(.*?)^## ", GUIDE, re.MULTILINE | re.DOTALL)
    assert section
    assert f"`{entry}`" in section[1].replace("\n", " ")


def test_every_section_has_its_block():
    assert list(BLOCKS) == ["learner", "encoder", "dataset", "input kind", "route"]


@pytest.fixture
def simpleshot(monkeypatch: pytest.MonkeyPatch) -> Spec:
    line_of("learner", '"simpleshot": SimpleShot')
    monkeypatch.setitem(LEARNERS._own, "simpleshot", defined("learner")["SimpleShot"])
    return Spec("simpleshot", "conv4", {}, STRIDED)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_the_learner_of_the_guide_obeys_the_laws(simpleshot, law):
    shape = (1, 28, 28)
    law(Case(lambda: build(simpleshot), lambda count, generator: torch.randn(count, *shape, generator=generator)))


def test_the_encoder_of_the_guide_builds_into_a_learner(monkeypatch):
    line_of("encoder", '"linear": Linear')
    monkeypatch.setitem(ENCODERS._own, "linear", defined("encoder")["Linear"])
    learner = build(Spec("protonet", "linear", {}, {"inputs": 784, "feature_dim": 64}))
    assert learner.encoder(torch.randn(3, 1, 28, 28)).shape == (3, 64)


def test_the_dataset_of_the_guide_gives_episodes(monkeypatch):
    line_of("dataset", "LINES")
    monkeypatch.setitem(DATASETS._own, "lines", defined("dataset")["LINES"])
    sampler = dataset_of("lines").episodes(None, "lines", {"type": "vector", "length": 1})
    episode = sampler.episode(np.random.default_rng(0), Shape(0, 5, 3))
    assert episode.support.inputs.shape == (5, 1)
    assert episode.targets.shape == (3, 1)


def test_the_input_kind_of_the_guide_decodes_and_refuses(monkeypatch):
    line_of("input kind", '"bits": Bits')
    monkeypatch.setitem(INPUT_KINDS._own, "bits", defined("input kind")["Bits"])
    about = {"name": "m", "title": "", "algorithm": "", "paper": "", "kind": "classification", "training": {}}
    card = Card.model_validate(about | {"input": {"type": "bits", "length": 3}})
    decoded = card.input.decode(["010", "111"], ["a", "b"], Limits(1))
    assert decoded.array().tolist() == [[0, 1, 0], [1, 1, 1]]
    assert card.input.examples(4, np.random.default_rng(0)).shape == (4, 3)
    with pytest.raises(Unprocessable, match="b: takes a text of 3"):
        card.input.decode(["010", "012"], ["a", "b"], Limits(1))


def test_the_route_of_the_guide_answers(monkeypatch):
    line_of("route", "version.router")
    monkeypatch.setattr(wiring, "ROUTERS", (*wiring.ROUTERS, defined("route")["router"]))
    app = wiring.create_app(Settings(), "redis://localhost", Catalogue(ZOO), nullcontext())

    async def version() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/version")

    assert asyncio.run(version()).json()["version"]
