"""Removes clients from Redis, each in one step."""

from typing import Any

from service.store.copies import Copies
from service.store.keys import client_keys
from service.store.listing import Lists, every_listing
from service.store.records import Blob, ClientKey
from service.store.retries import no_retry
from service.store.scripts import FORGET, REMOVE
from service.store.usage import Usage, usage_keys


class Removal:
    """Removes a client with its entries in the lists and the counts of its tenant.

    Lists that are on another server are changed after the client. A script is not repeated if its reply is lost,
    because it could remove a later adapt.
    """

    def __init__(self, copies: Copies, lists: Lists, usage: Usage) -> None:
        self._copies, self._lists, self._usage = copies, lists, usage

    async def remove(self, client: ClientKey) -> Blob:
        """Remove a client. Returns its stored record."""
        text: Blob = await self._run(FORGET, client)
        await self._remove_elsewhere(client)
        return text

    async def remove_version(self, client: ClientKey, text: Blob) -> bool:
        """Remove a client whose stored record is still `text`. Returns whether it was."""
        if not await self._run(REMOVE, client, text or b""):
            return False
        await self._remove_elsewhere(client)
        return True

    async def _run(self, script: str, client: ClientKey, *arguments: Any) -> Any:
        lists = [] if self._lists.elsewhere else every_listing(client)
        counts = [] if self._lists.elsewhere else usage_keys(client.tenant)
        keys = [*client_keys(client), *(each.key for each in lists), *counts]
        with no_retry():
            return await self._copies.eval(script, len(keys), *keys, *arguments, *(each.member for each in lists))

    async def _remove_elsewhere(self, client: ClientKey) -> None:
        if self._lists.elsewhere:
            await self._lists.remove(client)
            await self._usage.count_again(client)
