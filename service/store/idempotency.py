"""Carries out requests with an idempotency key once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from service.errors import Contended, HandfulError
from service.store.records import Adapted, ClientKey, RequestKey
from service.store.store import AnsweredBefore, Store


class Idempotency:
    """Carries out a request, or returns the answer that it got before."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(
        self, client: ClientKey, request: RequestKey | None, learn: Callable[[], Awaitable[Adapted]]
    ) -> Adapted:
        """Call `learn`, unless the request has been answered.

        Args:
            client: The client that is changed. The key belongs to its tenant.
            request: The key and the fingerprint. None: always call `learn`.
            learn: Carries the request out.

        Raises:
            KeyReused: The key came with another body before.
            RequestInProgress: The same request is still running.
        """
        if request is None:
            return await learn()
        claiming = asyncio.create_task(self._store.claim(client, request))
        try:
            claimed = await asyncio.shield(claiming)
            return claimed if isinstance(claimed, Adapted) else await learn()
        except AnsweredBefore:
            answer = await self._store.claim(client, request)
            if isinstance(answer, Adapted):
                return answer
            raise Contended("The answer to this request is no longer kept. Look at the client.") from None
        except BaseException:
            await asyncio.shield(self._release(client, request, claiming))
            raise

    async def _release(self, client: ClientKey, request: RequestKey, claiming: asyncio.Task[Adapted | str]) -> None:
        """Allow a retry of a failed request at once. If this fails too, the mark expires."""
        with suppress(HandfulError):
            mark = await claiming
            if isinstance(mark, str):
                await self._store.release(client, request, mark)
