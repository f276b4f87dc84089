"""Whether the service can do its job: shown by doing it."""

import asyncio

from service.cards import Card
from service.engine.base import Engine
from service.engine.warmup import warm_up
from service.errors import Busy, HandfulError, Unavailable
from service.store.store import Store


class Readiness:
    """What /readyz asks."""

    def __init__(self, store: Store, engine: Engine, card: Card) -> None:
        self._store, self._engine, self._card = store, engine, card
        self._probe: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Reach Redis, and adapt and answer with a model: once for all who ask meanwhile, since they need no key and
        take the device's time. Raises Unavailable."""
        await self._store.ping()
        if not self._engine.alive():
            raise Unavailable("The device worker is not running.")
        if self._probe is None:
            self._probe = asyncio.create_task(self._work())
            self._probe.add_done_callback(self._forget)
        await asyncio.shield(self._probe)

    async def _work(self) -> None:
        try:
            await warm_up(self._engine, self._card)
        except Busy:
            return  # it works, and has much to do
        except HandfulError as error:
            raise Unavailable(f"The device worker did not answer a probe: {error.detail}") from error

    def _forget(self, _: asyncio.Task[None]) -> None:
        self._probe = None
