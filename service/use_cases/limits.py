"""The use case of limits: the largest requests that are accepted now, by model."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from service.cards import Card
from service.engine.base import Engine
from service.settings import Settings
from service.store.quotas import Quota
from service.store.store import Store
from service.store.usage import Stored

WAYS = 5
"""Classes of the support set that the limits are told for, if the model takes so many."""


class ModelLimits(NamedTuple):
    """The largest support set of `ways` classes and the most inputs of a predict, and the seconds that they take."""

    model: str
    ways: int
    examples: int
    adapt_s: float
    inputs: int
    predict_s: float


class Left(NamedTuple):
    """What a tenant may still store. None: no limit."""

    clients: int | None
    examples: int | None
    bytes: int | None


class Limits:
    """What is allowed now."""

    def __init__(self, catalogue: Mapping[str, Card], engine: Engine, store: Store, settings: Settings) -> None:
        self._catalogue, self._engine, self._store, self._settings = catalogue, engine, store, settings

    async def left(self, tenant: str) -> tuple[Quota, Left]:
        """The quota of a tenant, and what it may still store."""
        quota, stored = await self._store.quotas.of(tenant), await self._store.usage.stored(tenant)
        return quota, _left(quota, stored)

    async def of_models(self) -> list[ModelLimits]:
        """The limits of each model, from its measured costs, whatever the tenant may still store."""
        return await asyncio.gather(*(self._of_model(card) for card in self._catalogue.values()))

    async def _of_model(self, card: Card) -> ModelLimits:
        settings, ways = self._settings, 0 if card.kind == "regression" else min(WAYS, card.max_ways or WAYS)
        fits = await self._engine.fits(card.name, ways, settings.max_examples, settings.max_queries)
        return ModelLimits(card.name, ways, *fits)


def _left(quota: Quota, stored: Stored) -> Left:
    limits = quota.clients, quota.examples, quota.bytes
    return Left(*(None if limit is None else max(0, limit - used) for limit, used in zip(limits, stored, strict=True)))
