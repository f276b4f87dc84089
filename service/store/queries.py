"""Queries of clients that asked for it, kept for a while, so that feedback can make examples of them.

Each query is a key with an expiry, so that it is gone on time. Its index has no expiry and holds only ids.
"""

from collections.abc import Sequence
from itertools import accumulate, islice
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError
from redis.exceptions import ResponseError

from service.arrays import Array
from service.executor import Executor
from service.store.checksums import seal
from service.store.connect import Client
from service.store.examples import Form, digest, form_of, from_raw, to_raw
from service.store.keys import queries_key, query_key, record_key
from service.store.records import Blob, ClientKey, Record
from service.store.redis_client import is_other_type
from service.store.scripts import KEEP_QUERIES

THREADS = Executor("queries")
DIGEST = 16
"""Characters of a digest."""


class Bounds(NamedTuple):
    """What is kept of one client at most: the latest queries, up to so many and so many bytes."""

    queries: int
    size: int

    def most(self, form: Form) -> int:
        """The most queries of a form that can be within the bounds, so that no more are looked at."""
        size = 1 if form.dtype == "text" else max(1, form.numbers() * np.dtype(form.dtype).itemsize)
        return max(1, min(self.queries, self.size // size))

    def after(self, values: Sequence[bytes]) -> int:
        """The most bytes that may be kept after a query, so that all are within the bounds with it."""
        return self.size - max(len(value) for value in values)

    def fitting(self, values: Sequence[bytes]) -> int:
        """How many of the last values are within the bounds."""
        after = accumulate((len(value) for value in reversed(values)), initial=0)
        most = self.after(values)
        return sum(size <= most for size in islice(after, min(len(values), self.queries)))


class Queries:
    """Kept queries in one Redis. Raises the errors of redis-py."""

    def __init__(self, redis: Client, bounds: Bounds) -> None:
        self._redis, self._bounds = redis, bounds

    async def keep(self, client: ClientKey, record: Record, ids: Sequence[str], inputs: Array) -> int:
        """Keep the last of decoded queries (q, *input) under ids, as many as are within the bounds.

        Args:
            client: The client.
            record: Its current record. It says for how long.
            ids: The id of each query.
            inputs: The queries.

        Returns:
            How many were kept: none if the client has changed since `record` was read.
        """
        form = form_of(inputs)
        last = inputs[-self._bounds.most(form) :]
        values = await THREADS.run(lambda: _values(form, last), form.numbers() * len(last))
        if not (count := self._bounds.fitting(values)):
            return 0
        pairs = [part for each in zip(ids[-count:], values[-count:], strict=True) for part in each]
        limits = self._bounds.queries, self._bounds.after(values)
        seconds = record.seconds_left(record.keep_queries_s)
        keys = record_key(client), queries_key(client)
        kept = await self._redis.eval(KEEP_QUERIES, 2, *keys, seal(record), seconds, *limits, *pairs)
        return count if kept else 0

    async def get(self, client: ClientKey, query: str) -> Array | None:
        """A kept query (1, *input); None if there is none, or a corrupt one."""
        try:
            return _parsed(await self._redis.get(query_key(client, query)))
        except ResponseError as error:
            if is_other_type(error):
                return None
            raise


def _values(form: Form, inputs: Array) -> list[bytes]:
    head = form.model_dump_json().encode() + b"\n"
    return [digest(raw).encode() + head + raw for raw in to_raw(inputs)]


def _parsed(value: Blob) -> Array | None:
    head, found, raw = value.partition(b"\n") if isinstance(value, bytes) else (b"", b"", b"")
    if not found or digest(raw).encode() != head[:DIGEST]:
        return None
    try:
        return from_raw([raw], Form.model_validate_json(head[DIGEST:]))
    except (ValidationError, ValueError, TypeError):
        return None
