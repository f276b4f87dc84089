"""The requirements on every answer to any request."""

import hashlib
import json
import re

import httpx
from hypothesis import HealthCheck, settings

from service.errors import HandfulError

KEY = "key of acme"
HASHES = {"acme": hashlib.sha256(KEY.encode()).hexdigest()}

FEW = settings(max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
"""Few examples, and the same in each run."""


def statuses(error: type[HandfulError] = HandfulError) -> set[int]:
    """All statuses that the service's errors have, but 500."""
    return {each.status for each in error.__subclasses__()}.union(*map(statuses, error.__subclasses__()))


REFUSALS = statuses() | {404, 405}


def check(answer: httpx.Response) -> None:
    """A success, or a problem with a known status."""
    if answer.is_success:
        return
    assert answer.status_code in REFUSALS, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.status_code < 500, answer.text


def check_bytes(answer: bytes) -> None:
    """HTTP answers, one behind the other: successes and problems, none a defect."""
    assert not answer or answer.startswith(b"HTTP/1.1 "), answer[:200]
    for status, head in re.findall(rb"HTTP/1\.1 (\d{3}) (.*?)\r\n\r\n", answer, re.DOTALL):
        assert int(status) < 500, answer[:500]
        assert int(status) in REFUSALS | {100, 200, 204}
        assert int(status) < 400 or b"content-type: application/problem+json" in head


def as_json(value: object) -> bytes:
    """JSON as Python writes it, with NaN and lone surrogates."""
    return json.dumps(value).encode()
