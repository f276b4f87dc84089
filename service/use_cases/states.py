"""States that the worker has not cached: loaded from the store, or rebuilt from the examples."""

import asyncio
from contextlib import suppress
from functools import partial

from service import metrics
from service.arrays import Arrays
from service.cards import Card
from service.engine.base import Engine
from service.errors import Unavailable
from service.inputs.prepare import prepare
from service.store.records import Record, StateKey
from service.store.store import Store, VersionMoved


class States:
    """Loads and rebuilds states. Concurrent requests share one rebuild."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine, self._store = engine, store
        self._loading: dict[StateKey, asyncio.Task[Arrays]] = {}

    async def get(self, key: StateKey, card: Card, record: Record, *, past: bool = False) -> Arrays:
        """The state of a version, the current one or a `past` one.

        Raises:
            VersionMoved: The client has been adapted since the record was read.
        """
        if key not in self._loading:
            task = asyncio.create_task(self._load_or_rebuild(key, card, record, past=past))
            self._loading[key] = task
            task.add_done_callback(partial(self._done, key))
        return await asyncio.shield(self._loading[key])

    def _done(self, key: StateKey, task: "asyncio.Task[Arrays]") -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # mark it as retrieved: all callers may be gone

    async def _load_or_rebuild(self, key: StateKey, card: Card, record: Record, *, past: bool) -> Arrays:
        if (state := await self._store.state(key, record, past=past)) is not None:
            return state
        state = await self.rebuild(key, card, record, past=past)
        metrics.states_rebuilt.inc()
        return state

    async def rebuild(self, key: StateKey, card: Card, record: Record, *, past: bool = False) -> Arrays:
        """Adapt to the stored examples of a version again, and store the state. Raises VersionMoved."""
        contents = await self._store.contents(key.client, record.version if past else None)
        if contents.record.write != record.write:
            raise VersionMoved
        support = contents.support()
        prepared = support._replace(inputs=await prepare(card.input, support.inputs, record.columns))
        state = await self._engine.adapt(card.name, record.write, prepared, share=key.client, rebuild=True)
        with suppress(Unavailable):  # the stored state is only a cache
            await self._store.save_state(key, record, state)
        return state
