"""Answers to requests with an idempotency key. A retry gets the first answer and changes nothing.

A request first sets a mark. The answer replaces the mark; on one server, the script that writes the client does this.
A mark expires, so that a request can be sent again after its process died. The bytes of a tenant's answers are limited;
the oldest are dropped first.
"""

import secrets

from pydantic import BaseModel, ValidationError

from service import metrics
from service.errors import KeyReused, RequestInProgress
from service.store.checksums import as_bytes, seal, unsealed
from service.store.connect import Client
from service.store.keys import answer_times_key, answers_key
from service.store.records import Adapted, Blob, RequestKey
from service.store.scripts import CLAIM, FINISH, RELEASE


class AnsweredBefore(Exception):
    """An earlier attempt, with an expired mark, has carried the request out."""


class Answers:
    """The answers in one Redis. Raises the errors of redis-py."""

    def __init__(self, redis: Client, *, kept_s: int, limit: int, mark_s: int) -> None:
        self._redis, self.kept_s, self._limit, self._mark_s = redis, kept_s, limit, mark_s

    async def claim(self, tenant: str, request: RequestKey) -> Adapted | str:
        """Set and return a mark, or return the stored answer.

        Raises:
            KeyReused: The key came with another body before.
            RequestInProgress: The same request is still running.
        """
        mark = f"runs:{request.fingerprint}:{secrets.token_hex(8)}"
        limits = self._mark_s, self.kept_s, self._limit
        for _ in range(2):
            found: Blob = await self._redis.eval(CLAIM, 2, *keys(tenant), request.name, mark, *limits)
            if found is None or as_bytes(found) == mark.encode():  # its own, if the command was repeated
                return mark
            try:
                return _answer(request, as_bytes(found))
            except (ValidationError, ValueError):  # corrupt: the request is carried out as a new one
                metrics.corrupt_records.inc()
                await self._redis.eval(RELEASE, 2, *keys(tenant), request.name, found)
        return mark

    async def release(self, tenant: str, request: RequestKey, mark: str) -> None:
        """Remove the mark of a failed request, so that it can be sent again at once."""
        await self._redis.eval(RELEASE, 2, *keys(tenant), request.name, mark)

    async def finish(self, tenant: str, request: RequestKey, answer: Adapted) -> None:
        """Store an answer with a command of its own, for Clusters."""
        await self._redis.eval(FINISH, 2, *keys(tenant), *self.arguments(request, answer))

    def arguments(self, request: RequestKey, answer: Adapted) -> tuple[str, bytes, int, int]:
        """The last arguments of WRITE_ONCE and FINISH."""
        value = b"done:" + seal(_Kept(fingerprint=request.fingerprint, answer=answer))
        return request.name, value, self.kept_s, self._limit


def keys(tenant: str) -> tuple[str, str]:
    """The keys of a tenant's answers."""
    return answers_key(tenant), answer_times_key(tenant)


class _Kept(BaseModel):
    fingerprint: str
    answer: Adapted


def _answer(request: RequestKey, found: bytes) -> Adapted:
    """The stored answer. Raises ValueError if it is corrupt, KeyReused and RequestInProgress."""
    kind, _, text = found.partition(b":")
    kept = _Kept.model_validate_json(unsealed(text) or b"") if kind == b"done" else None
    fingerprint = kept.fingerprint if kept else text.partition(b":")[0].decode()
    if fingerprint != request.fingerprint:
        raise KeyReused(
            "Idempotency-Key: this key came with another body before. Use a new key for each request.",
            field="Idempotency-Key",
        )
    if kept is None:
        raise RequestInProgress("A request with this Idempotency-Key is still running. Send it again later.")
    return kept.answer
