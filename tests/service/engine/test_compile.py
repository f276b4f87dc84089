"""torch.compile in the worker. The compiler proper is left out, which takes minutes and needs one on the machine."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from models.functional import adapt_many
from models.recipes import RECIPES
from service.arrays import SupportSet
from service.cards import Catalogue
from service.engine import compile
from service.engine.base import Engine
from service.engine.warmup import warm_up_shapes
from service.settings import Settings
from tests.service.serving import working
from tests.service.zoo import make_model

pytestmark = pytest.mark.anyio


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What a compiler was given."""
    found: list[Any] = []

    def backend(graph, inputs):
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(compile, "compiler_path", lambda: "c++")
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    yield found
    torch.compiler.set_stance("default")
    torch.compiler.reset()


def points(count: int) -> SupportSet:
    x = np.random.default_rng(count).uniform(-5, 5, (count, 1)).astype(np.float32)
    return SupportSet(x, np.sin(x), 0)


async def answers(engine: Engine, model: str, count: int) -> np.ndarray:
    asked = points(count)
    state = await engine.adapt(model, "somebody", asked)
    return await engine.predict(model, "somebody", asked.inputs, state)


async def test_all_models_are_compiled_before_the_first_request_and_none_later(graphs, tmp_path):
    for name in ("one", "other"):
        make_model(tmp_path, name, RECIPES["sinusoid-ridge"])
    cards = Catalogue(tmp_path).values()
    with working(Settings(models=tmp_path)) as plain, working(Settings(models=tmp_path, compile=True)) as worker:
        for card in cards:
            before = len(graphs)
            await warm_up_shapes(worker, card)
            assert len(graphs) >= before + 2, "one for adapts, one for predicts"
        compile.finish_compiling()
        before = len(graphs)
        for card in cards:
            for count in (1, 2, 30):
                expected = await answers(plain, card.name, count)
                np.testing.assert_allclose(await answers(worker, card.name, count), expected, rtol=1e-4, atol=1e-4)
        assert len(graphs) == before


def test_without_a_compiler_models_run_as_they_are(monkeypatch, caplog):
    monkeypatch.setattr(compile, "compiler_path", lambda: None)
    assert compile.per_model(adapt_many, ["one"], compiling=True) == {"one": adapt_many}
    assert "needs a C++ compiler" in caplog.text
