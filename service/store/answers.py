"""Answers to requests with an idempotency key, so that a retry gets the first answer and changes nothing.

A request first sets a mark. The mark is replaced by the answer, on one server in the script that writes the client. The
mark counts for a limited time only, so that a request whose process died can be sent again. The answers of a tenant are
bounded in bytes; the oldest are dropped first.
"""

import secrets

from pydantic import BaseModel, ValidationError

from service import metrics
from service.errors import KeyReused, RequestInProgress
from service.store.checksums import as_bytes, seal, unsealed
from service.store.connect import Client
from service.store.keys import CLAIM, FINISH, RELEASE, answer_times_key, answers_key
from service.store.records import Adapted, RequestKey
from service.store.redis_client import Blob


class AnsweredBefore(Exception):
    """The request was carried out already, by a try whose mark has run out."""


class Answers:
    """The answers in one Redis. Raises what the library raises."""

    def __init__(self, redis: Client, *, kept_s: int, limit: int, mark_s: int) -> None:
        self._redis, self.kept_s, self._limit, self._mark_s = redis, kept_s, limit, mark_s

    async def claim(self, tenant: str, request: RequestKey) -> Adapted | str:
        """Set a mark, which is returned, or return the answer that is there.

        Raises:
            KeyReused: The key came with another body.
            RequestInProgress: The same request is still running.
        """
        mark = f"runs:{request.fingerprint}:{secrets.token_hex(8)}"
        limits = self._mark_s, self.kept_s, self._limit
        for _ in range(2):
            found: Blob = await self._redis.eval(CLAIM, 2, *keys(tenant), request.name, mark, *limits)
            if found is None:
                return mark
            try:
                return _answer(request, as_bytes(found))
            except (ValidationError, ValueError):  # damaged: the request is carried out as if it were new
                metrics.corrupt_records.inc()
                await self._redis.eval(RELEASE, 2, *keys(tenant), request.name, found)
        return mark

    async def release(self, tenant: str, request: RequestKey, mark: str) -> None:
        """Take a mark back: the request failed, and may be sent again at once."""
        await self._redis.eval(RELEASE, 2, *keys(tenant), request.name, mark)

    async def finish(self, tenant: str, request: RequestKey, answer: Adapted) -> None:
        """Keep an answer by itself, where the script that writes the client cannot."""
        await self._redis.eval(FINISH, 2, *keys(tenant), *self.arguments(request, answer))

    def arguments(self, request: RequestKey, answer: Adapted) -> tuple[str, bytes, int, int]:
        """The end of the arguments of WRITE_ONCE and FINISH."""
        value = b"done:" + seal(_Kept(fingerprint=request.fingerprint, answer=answer))
        return request.name, value, self.kept_s, self._limit


def keys(tenant: str) -> tuple[str, str]:
    """The keys of a tenant's answers."""
    return answers_key(tenant), answer_times_key(tenant)


class _Kept(BaseModel):
    fingerprint: str
    answer: Adapted


def _answer(request: RequestKey, found: bytes) -> Adapted:
    """The answer that is kept. Raises ValueError if it is damaged, KeyReused and RequestInProgress."""
    kind, _, text = found.partition(b":")
    kept = _Kept.model_validate_json(unsealed(text) or b"") if kind == b"done" else None
    fingerprint = kept.fingerprint if kept else text.partition(b":")[0].decode()
    if fingerprint != request.fingerprint:
        raise KeyReused(
            "Idempotency-Key: this key came with another body before. Use a new key for each new request.",
            field="Idempotency-Key",
        )
    if kept is None:
        raise RequestInProgress("A request with this Idempotency-Key is still running. Send it again later.")
    return kept.answer
