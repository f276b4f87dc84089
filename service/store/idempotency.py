"""Carries out requests with an idempotency key once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from service.errors import Contended, HandfulError
from service.store.records import Adapted, RequestKey
from service.store.store import AnsweredBefore, Store


class Idempotency:
    """Carries out a request, or returns the answer that it got before."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, tenant: str, request: RequestKey | None, learn: Callable[[], Awaitable[Adapted]]) -> Adapted:
        """Call `learn`, unless the request has been answered.

        Args:
            tenant: The tenant that the key belongs to.
            request: The key and the fingerprint. None: always call `learn`.
            learn: Carries the request out.

        Raises:
            KeyReused: The key came with another body before.
            RequestInProgress: The same request is still running.
        """
        if request is None:
            return await learn()
        claiming = asyncio.create_task(self._store.claim(tenant, request))
        try:
            claimed = await asyncio.shield(claiming)
            return claimed if isinstance(claimed, Adapted) else await learn()
        except AnsweredBefore:
            answer = await self._store.claim(tenant, request)
            if isinstance(answer, Adapted):
                return answer
            raise Contended("The answer to this request is no longer kept. Look at the client.") from None
        except BaseException:
            await asyncio.shield(self._release(tenant, request, claiming))
            raise

    async def _release(self, tenant: str, request: RequestKey, claiming: asyncio.Task[Adapted | str]) -> None:
        """Allow a retry of a failed request at once. If this fails too, the mark expires."""
        with suppress(HandfulError):
            mark = await claiming
            if isinstance(mark, str):
                await self._store.release(tenant, request, mark)
