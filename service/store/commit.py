"""Writes the next version of a client in one script, so that readers see the old version or the new one."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import redis.asyncio as redis
from redis.exceptions import ResponseError

from service.errors import CorruptRecord
from service.executor import BYTES_PER_EXAMPLE, Executor
from service.store import answers
from service.store.answers import AnsweredBefore, Answers
from service.store.checksums import parse_record, parse_version, seal, tag_state
from service.store.connect import Client
from service.store.copies import Copies
from service.store.history import EMPTY, Change, next_change, read_history
from service.store.keys import client_keys, record_key, versions_key
from service.store.listing import Lists, listings
from service.store.records import Adapted, Blob, ClientKey, Draft, Record, Snapshot, StateKey, unexpired
from service.store.redis_client import is_other_type
from service.store.retries import no_retry
from service.store.scripts import WRITE, WRITE_ONCE
from service.store.usage import Usage, usage_keys

THREADS = Executor("commit")

WRITTEN, ANSWERED = 1, 2
"""Return values of the scripts. They return 0 if the client has changed."""


class VersionMoved(Exception):
    """Another request has adapted the client in the meantime."""


class AlreadyThere(Exception):
    """The client exists."""


class _Version(NamedTuple):
    """A draft, and its state as it is stored, which does not depend on the version number."""

    client: ClientKey
    draft: Draft
    state: bytes


def _version(client: ClientKey, draft: Draft) -> _Version:
    key = StateKey(client, draft.write, draft.checkpoint)
    return _Version(client, draft, b"" if draft.state is None else tag_state(key, draft.state))


class Commits:
    """Writes clients to one Redis. Raises the errors of redis-py and those that each method names."""

    def __init__(
        self,
        redis: Client,
        copies: Copies,
        get: Callable[[str], Awaitable[Blob]],
        lists: Lists,
        answers: Answers,
        usage: Usage,
        state_ttl_s: int,
        keep: int,
    ) -> None:
        self._redis, self._copies, self._get = redis, copies, get
        self._lists, self._answers, self._usage = lists, answers, usage
        self._state_ttl_s, self._keep = state_ttl_s, keep

    async def write(self, client: ClientKey, draft: Draft, after: Record | None, *, new: bool = False) -> Record:
        """Write a client's next version and list it.

        Raises:
            VersionMoved: `after` is given and is no longer the client's version.
            AlreadyThere: `new` is set and the client exists.
            AnsweredBefore: The request of the draft was carried out before.
            QuotaExceeded, StorageExceeded: The tenant may not store so much.
            Unauthorized: The tenant was deleted.
        """
        version = _version(client, draft)
        if not self._lists.elsewhere:
            return await self._write(version, after, new=new)
        await self._lists.add(client, draft.expires_at)  # first: a full Redis then refuses before anything is written
        try:
            record = await self._write(version, after, new=new)
        finally:
            await self._usage.count_again(client)
        if not await self._lists.has(client, record.expires_at):  # a concurrent list or sweep has removed it
            await self._lists.add(client, record.expires_at)
        if draft.request is not None:
            await self._answers.finish(client.tenant, draft.request, draft.adapted(record))
        return record

    async def _write(self, version: _Version, after: Record | None, *, new: bool) -> Record:
        while True:
            text = await self._text(version.client)
            change = await self._next(version, _readable(text), after, new=new)
            if self._lists.elsewhere:
                await self._usage.count(version.client, change.record)
            done = await self._try(version, text, change)
            if done == WRITTEN:
                return change.record
            if done == ANSWERED:
                raise AnsweredBefore
            # another write came first; the loop ends, because each turn means that another request has succeeded

    async def _text(self, client: ClientKey) -> bytes:
        """The stored record; empty if there is none or a value of another type."""
        try:
            return (await self._get(record_key(client))) or b""  # type: ignore[return-value]
        except ResponseError as error:
            if is_other_type(error):
                return b""
            raise

    async def _next(self, version: _Version, found: Record | None, after: Record | None, *, new: bool) -> Change:
        draft, old = version.draft, unexpired(found)
        if old is not None and draft.request is not None and self._answered(draft, old):
            adapted = await self._adapted(version.client, draft, old)
            await self._answers.finish(version.client.tenant, draft.request, adapted)
            raise AnsweredBefore
        if after is not None and (old is None or old.write != after.write):
            raise VersionMoved
        if new and old is not None:
            raise AlreadyThere
        history = EMPTY if old is None else await read_history(self._redis, version.client)
        given = version.client, draft, found, history, self._keep
        change = partial(next_change, *given, answers=self._lists.elsewhere)
        return await THREADS.run(change, history.size() + BYTES_PER_EXAMPLE * len(draft.examples))

    def _answered(self, draft: Draft, old: Record) -> bool:
        """Whether the record is of the same request: of an attempt that died, or that outlived its mark."""
        age_s = (datetime.now(UTC) - old.updated_at).total_seconds()
        return draft.request is not None and old.request == draft.request.id and age_s < self._answers.kept_s

    async def _adapted(self, client: ClientKey, draft: Draft, old: Record) -> Adapted:
        """What the attempt that wrote `old` answers. This one had other examples before it, so it would name others."""
        with suppress(CorruptRecord, ResponseError):
            kept = parse_version(await self._redis.hget(versions_key(client), str(old.version)), old.version)
            if isinstance(kept, Snapshot) and kept.answer is not None:
                return kept.answer.of(old.model_copy(update={"columns": None}))
        return draft.adapted(old)

    async def _try(self, version: _Version, text: bytes, change: Change) -> int:
        try:
            return await self._send(version, text, change)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            now = await self._text(version.client)
            found = _readable(now)
            if found is not None and change.record.write in (found.write, found.replaces):
                await self._copies.confirm(record_key(version.client))
                return WRITTEN  # only the reply was lost
            if now != text or not text:
                raise  # it may have been written and then removed or replaced
            return await self._send(version, text, change)

    async def _send(self, version: _Version, text: bytes, change: Change) -> int:
        """Run the script once. A retry by the library could write a client that was removed in the meantime."""
        client, draft, record = version.client, version.draft, change.record
        listed = [] if self._lists.elsewhere else listings(client, record.expires_at)
        places = [value for each in listed for value in (each.score, each.member)]
        apart = self._lists.elsewhere
        counted = [] if apart else usage_keys(client.tenant)
        counts = [] if apart else await self._usage.arguments(client, record)
        keys = [*client_keys(client), *(each.key for each in listed), *counted]
        lean = record.model_copy(update={"receipt": None})  # every predict reads it, and a receipt may be long
        values = text, seal(lean), record.version, change.snapshot, int(change.fresh), version.state
        arguments: list[Any] = [*values, record.seconds_left(self._state_ttl_s)]
        for several in (places, *change.arguments, counts):
            arguments += [len(several), *several]
        script = WRITE
        if draft.request is not None and not apart:
            script = WRITE_ONCE
            keys += answers.keys(client.tenant)
            arguments += self._answers.arguments(draft.request, draft.adapted(record))
        with no_retry():
            done = await self._copies.eval(script, len(keys), *keys, *arguments)
        return await self._usage.checked(client.tenant, done)


def _readable(text: bytes) -> Record | None:
    """The record; None if there is none or it is corrupt. A write replaces a corrupt record with version 1."""
    try:
        return parse_record(text) if text else None
    except CorruptRecord:
        return None
