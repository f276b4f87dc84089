"""States that the worker has not cached: loaded from the store, or rebuilt from the support set."""

import asyncio
from contextlib import suppress
from functools import partial

from service import metrics
from service.arrays import Arrays
from service.cards import Card
from service.engine.base import Engine
from service.errors import Unavailable
from service.store.records import Record, StateKey
from service.store.store import Store, VersionMoved


class States:
    """Loads and rebuilds states. Concurrent requests share one rebuild."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine, self._store = engine, store
        self._loading: dict[StateKey, asyncio.Task[Arrays]] = {}

    async def get(self, key: StateKey, card: Card, record: Record) -> Arrays:
        """The state of a record.

        Raises:
            VersionMoved: The client has been adapted since the record was read.
        """
        if key not in self._loading:
            task = asyncio.create_task(self._load_or_rebuild(key, card, record))
            self._loading[key] = task
            task.add_done_callback(partial(self._done, key))
        return await asyncio.shield(self._loading[key])

    def _done(self, key: StateKey, task: "asyncio.Task[Arrays]") -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # mark it as retrieved: all callers may be gone

    async def _load_or_rebuild(self, key: StateKey, card: Card, record: Record) -> Arrays:
        if (state := await self._store.state(key, record)) is not None:
            return state
        current, support = await self._store.support(key.client)
        if current.write != record.write:
            raise VersionMoved
        state = await self._engine.adapt(card.name, record.write, support, share=key.client, rebuild=True)
        metrics.states_rebuilt.inc()
        with suppress(Unavailable):  # the stored state is only a cache
            await self._store.save_state(key, record, state)
        return state
