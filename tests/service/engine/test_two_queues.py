"""Adapts and predicts run in two threads, and touch nothing of each other's."""

import asyncio

import numpy as np
import pytest

from service.settings import Settings
from tests.service.engine.test_worker import points
from tests.service.serving import working

pytestmark = pytest.mark.anyio

ROUNDS = 150


async def test_adapting_while_predicting_changes_neither(zoo):
    with working(Settings(models=zoo)) as worker:
        taught = [points(5, seed) for seed in range(4)]
        states = [await worker.adapt("sinusoid", str(key), each) for key, each in enumerate(taught)]
        answers = [await worker.predict("sinusoid", str(key), taught[0].inputs) for key in range(4)]
        for _ in range(ROUNDS):
            again = asyncio.gather(*(worker.adapt("sinusoid", "alice", each) for each in taught))
            asked = asyncio.gather(*(worker.predict("sinusoid", str(key), taught[0].inputs) for key in range(4)))
            assert_same(states, await again)
            assert_same([{"values": each} for each in answers], [{"values": each} for each in await asked])


def assert_same(expected: list[dict], found: list[dict]) -> None:
    for one, other in zip(expected, found, strict=True):
        for name, value in one.items():
            np.testing.assert_allclose(other[name], value, atol=1e-4)
