"""Answers that are no success: the error they raise, and when to send the request again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

Answer = dict[str, Any]

RETRIED = (429, 503)
"""Refusals that change nothing and pass: the queue is full, or a part of the service is away."""
LONGEST_PAUSE_S = 30.0


class RefusedError(Exception):
    """An answer that is no success.

    Attributes:
        status: The HTTP status.
        code: The stable code of the problem; `http` if the answer is not the service's own.
        detail: What was wrong, the limit and the way out.
        field: Where in the request, or None.
        retry_after_s: Seconds after which to try again, or None.
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
    """The JSON object of an answer; empty for 204. Raises RefusedError."""
    answer = _json_object(response)
    if not response.is_success or (response.content and answer is None):
        raise RefusedError(response)
    return answer or {}


def pause_s(response: httpx.Response, attempt: int) -> float | None:
    """Seconds to wait before another attempt: what the service asks for, or twice as long each time.

    None if another attempt is useless, or would have to wait too long.
    """
    if response.status_code not in RETRIED:
        return None
    asked = _retry_after_s(response)
    pause = 0.25 * 2**attempt if asked is None else asked
    return None if pause > LONGEST_PAUSE_S else pause * random.uniform(1, 1.25)  # clients must not return all at once


def _json_object(response: httpx.Response) -> Answer | None:
    try:
        content = response.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _retry_after_s(response: httpx.Response) -> float | None:
    """`Retry-After`, which is in seconds or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
