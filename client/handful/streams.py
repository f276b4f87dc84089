"""Many inputs in one request, whose answers are read line by line while the service makes them."""

import json
import re
from typing import Any

import httpx

from handful.batches import Part, is_too_much
from handful.refusals import LOST, RETRIED, Answer, RefusedError, pause
from handful.requests import Http, predict_request

INPUTS = 2000
"""Inputs of one request."""
LINES = "application/x-ndjson"
PLACE = re.compile(r"\bline \d+\b")
"""The place of an input in a request, in an error or a warning."""
VERSION = re.compile(r'"(\d+)-')
"""How the entity tag of a client begins."""


class Lines:
    """Inputs that are not answered yet. They are asked in one request; again after a lost connection, and in several if
    they are too many for one. All are asked of the version that answers the first.

    Args:
        part: The inputs.
        options: Options of the predict.
    """

    def __init__(self, part: Part, options: dict[str, Any]) -> None:
        (self.offset, self.left), self.options = part, options
        self._attempt, self._most = 0, len(self.left)

    def request(self, http: Http, client_id: str) -> httpx.Request:
        """POST /predict, to be answered in lines."""
        request = predict_request(http, client_id, self.left[: self._most], self.options)
        request.headers["Accept"] = LINES
        return request

    def begin(self, response: httpx.Response) -> None:
        """Note which version answers. Raises RefusedError, with the places of all inputs; the response must be read."""
        if not response.is_success:
            raise RefusedError(response).at(self.offset)
        if found := VERSION.match(response.headers.get("etag", "")):
            self.options = self.options | {"version": int(found[1])}

    def answer(self, line: str) -> Answer:
        """The answer in the next line, with the version that has answered. Raises RefusedError if it is a temporary
        error."""
        found: Answer = json.loads(line)
        del found["line"]
        if (status := found.get("error", {}).get("status")) in RETRIED:
            raise RefusedError(httpx.Response(status, json=found["error"]))
        for problem in [*found.get("warnings", []), *([found["error"]] if "error" in found else [])]:
            for name in problem.keys() & {"field", "detail"}:
                problem[name] = problem[name] and PLACE.sub(f"inputs[{self.offset}]", problem[name])
        self.offset, self.left, self._attempt = self.offset + 1, self.left[1:], 0
        return found | {"version": self.options.get("version")}

    def pause_after(self, error: Exception, retries: int) -> float | None:
        """Seconds to wait before what is left is asked again; None if that is useless."""
        self._attempt += 1
        temporary = isinstance(error, LOST) or (isinstance(error, RefusedError) and error.status in RETRIED)
        return pause(self._attempt) if temporary and self._attempt <= retries else None

    def are_fewer_after(self, error: Exception) -> bool:
        """Whether the next request has half as many inputs, because there were too many in one."""
        too_much = isinstance(error, RefusedError) and is_too_much(error, self.left[: self._most])
        if too_much:
            self._most = (min(self._most, len(self.left)) + 1) // 2
        return too_much
