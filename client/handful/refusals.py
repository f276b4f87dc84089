"""Error answers: the exception that they raise, and when to retry."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

Answer = dict[str, Any]

RETRIED = (429, 503)
"""Temporary errors that change nothing: the queue is full, or a part of the service is away."""
LONGEST_PAUSE_S = 30.0


class RefusedError(Exception):
    """An error answer.

    Attributes:
        status: The HTTP status.
        code: The stable code of the problem; `http` if the answer is not from the service itself.
        detail: What was wrong, the limit and the way out.
        field: The place in the request, or None.
        retry_after_s: Seconds to wait before a retry, or None.
    """

    def __init__(self, response: httpx.Response) -> None:
        problem = _json_object(response) or {}
        self.status: int = response.status_code
        self.code = str(problem.get("code") or "http")
        self.detail = str(problem.get("detail") or response.reason_phrase or "no details")
        self.field: str | None = problem.get("field")
        self.retry_after_s = _retry_after_s(response)
        super().__init__(f"{self.status} {self.code}: {self.detail}")


def answer_of(response: httpx.Response) -> Answer:
    """The JSON object of an answer, with its entity tag as `etag`; empty for 204. Raises RefusedError."""
    answer = _json_object(response)
    if not response.is_success or (response.content and answer is None):
        raise RefusedError(response)
    tag = response.headers.get("etag")
    return (answer or {}) | ({} if tag is None else {"etag": tag})


def pause_s(response: httpx.Response, attempt: int) -> float | None:
    """Seconds to wait before a retry: as the service asks, otherwise doubling with each attempt.

    None if a retry is useless or would have to wait too long.
    """
    if response.status_code not in RETRIED:
        return None
    asked = _retry_after_s(response)
    pause = 0.25 * 2**attempt if asked is None else asked
    return (
        None if pause > LONGEST_PAUSE_S else pause * random.uniform(1, 1.25)
    )  # so that clients do not retry at the same moment


def _json_object(response: httpx.Response) -> Answer | None:
    try:
        content = response.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _retry_after_s(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds. The header holds seconds or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
