"""An engine with the support sets as states, so that every answer shows its examples."""

import asyncio
import random
from typing import Any

import numpy as np

from service.arrays import Array, Arrays, SupportSet
from service.cards import Card
from service.engine.base import ExportJob, Fits, StateNotCached
from service.inputs.vector import Vector

CARD = Card(
    name="echo",
    title="",
    algorithm="",
    paper="",
    kind="regression",
    input=Vector(length=1),
    outputs=1,
    training={},
    checkpoint="c" * 16,
)
CATALOGUE = {"echo": CARD}


class FakeEngine:
    """A predict answers with the targets of the support set. States are evicted at random."""

    def __init__(self, chance: random.Random, evicts: float = 0.5) -> None:
        self._chance, self._evicts = chance, evicts
        self._states: dict[str, Arrays] = {}
        self.adapts = 0

    async def adapt(self, model: str, key: str, support: SupportSet, **_: Any) -> Arrays:
        self.adapts += 1
        await self._others()
        self._states[key] = {"w": np.array(support.targets, np.float32).reshape(-1)}
        return self._states[key]

    async def predict(self, model: str, key: str, queries: Array, state: Arrays | None = None, **_: Any) -> Array:
        await self._others()
        if state is not None:
            self._states[key] = state
        elif self._chance.random() < self._evicts:
            self._states.pop(key, None)
        if key not in self._states:
            raise StateNotCached
        return np.array([self._states[key]["w"]] * len(queries))

    def evict(self, key: str) -> None:
        self._states.pop(key, None)

    def alive(self) -> bool:
        return True

    async def _others(self) -> None:
        """Let other requests run for a random number of turns."""
        for _ in range(self._chance.randrange(12)):
            await asyncio.sleep(0)

    async def export(self, job: ExportJob, **_: Any) -> bytes:
        return b""

    def spent(self) -> dict[str, float]:
        return {}

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        return Fits(examples, 0.0, inputs, 0.0)
