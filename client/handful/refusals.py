"""Error answers: the exception that they raise, and when to retry."""

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx

Answer = dict[str, Any]

RETRIED = (429, 503)
"""Temporary errors: the queue is full, or a part of the service is away."""
NOTHING_DONE = "overloaded"
"""The code of a 503 before any work. Any other may come after a change that was made: not enough replicas of Redis know
of it yet, or a proxy has lost the answer."""
LONGEST_PAUSE_S = 30.0
LOST = (httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""The connection was not made, or was lost. A time-out is not among them: the next attempt would wait as long."""
PLACE = re.compile(r"\b(inputs|support|queries)\[(\d+)\]")


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
        self.detail = str(problem.get("detail") or _redirect(response) or response.reason_phrase or "no details")
        self.field: str | None = problem.get("field")
        self.retry_after_s = _retry_after_s(response)
        super().__init__(f"{self.status} {self.code}: {self.detail}")

    def at(self, offset: int) -> Self:
        """The same error, with the places of a part, such as inputs[3], as places of the whole list."""
        self.detail = shifted(self.detail, offset)
        self.field = None if self.field is None else shifted(self.field, offset)
        self.args = (f"{self.status} {self.code}: {self.detail}",)
        return self


def shifted(text: str, offset: int) -> str:
    """A text with the places of a part as places of the whole list, which the part begins at `offset`."""
    return PLACE.sub(lambda found: f"{found[1]}[{int(found[2]) + offset}]", text)


def answer_of(response: httpx.Response) -> Answer:
    """The JSON object of an answer, with its entity tag as `etag`; empty for 204. Raises RefusedError."""
    answer = _json_object(response)
    if not response.is_success or (response.content and answer is None):
        raise RefusedError(response)
    tag = response.headers.get("etag")
    return (answer or {}) | ({} if tag is None else {"etag": tag})


def list_of(response: httpx.Response) -> list[Answer]:
    """The JSON list of an answer. Raises RefusedError."""
    found = _json(response)
    if not response.is_success or not isinstance(found, list):
        raise RefusedError(response)
    return found


def pause_after(error: httpx.TransportError, request: httpx.Request, attempt: int) -> float | None:
    """Seconds to wait before a request is repeated whose connection was lost; None if it must not be repeated."""
    if isinstance(error, httpx.ConnectError) or (_harmless_twice(request) and isinstance(error, LOST)):
        return pause(attempt)
    return None


def _harmless_twice(request: httpx.Request) -> bool:
    """Whether a request that has arrived may be sent again."""
    changes_nothing = request.method == "GET" or request.url.path.endswith("/predict")
    return changes_nothing or "Idempotency-Key" in request.headers


def pause(attempt: int) -> float:
    """Seconds to wait before another attempt, which double with each."""
    return _jittered(0.25 * 2**attempt)


def pause_s(response: httpx.Response, attempt: int) -> float | None:
    """Seconds to wait before a retry: as the service asks, otherwise doubling with each attempt.

    None if a retry is useless or would have to wait too long.
    """
    asked = _retry_after_s(response)
    if response.status_code == 409 and asked is not None:  # other requests are in the way, or the same one still runs
        wanted = asked * 2**attempt
    elif response.status_code == 429 or (response.status_code == 503 and _may_be_repeated(response)):
        wanted = 0.25 * 2**attempt if asked is None else asked
    else:
        return None
    return None if wanted > LONGEST_PAUSE_S else _jittered(wanted)


def _may_be_repeated(response: httpx.Response) -> bool:
    """Whether a request may be sent again that a 503 answers."""
    return _harmless_twice(response.request) or (_json_object(response) or {}).get("code") == NOTHING_DONE


def _jittered(pause: float) -> float:
    """A pause of random length, so that clients do not retry at the same moment."""
    return pause * random.uniform(1, 1.25)


def _json_object(response: httpx.Response) -> Answer | None:
    content = _json(response)
    return content if isinstance(content, dict) else None


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _redirect(response: httpx.Response) -> str | None:
    """What to do about a redirect. It is not followed, so that no key and no input goes to another host."""
    if not response.has_redirect_location:
        return None
    place = httpx.URL(response.request.url).join(response.headers["location"])
    return f"redirects are not followed; this one leads to {place.scheme}://{place.netloc.decode()}. Check the address."


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
