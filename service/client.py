"""The Python client.

    with Handful("http://localhost:8000") as handful:
        handful.adapt("alice", [(Path("fish.png"), "fish"), (Path("key.png"), "key")], model="glyphs")
        handful.predict("alice", [Path("other.png")])[0]["label"]

`AsyncHandful` has the same methods, to be awaited. An input is a number, a vector (list or array), an image as a path,
bytes or rows of numbers, or base64 text.
"""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Answer = dict[str, Any]
DEFAULT_URL = "http://127.0.0.1:8000"


class RefusedError(Exception):
    """The service's problem: `status`, `code`, `detail`, `field`; `retry_after_s` when trying again may help."""

    def __init__(self, response: httpx.Response) -> None:
        problem = response.json() if response.headers.get("content-type", "").endswith("json") else {}
        self.status: int = response.status_code
        self.code: str = problem.get("code", "http")
        self.detail: str = problem.get("detail", response.reason_phrase)
        self.field: str | None = problem.get("field")
        self.retry_after_s = float(response.headers["retry-after"]) if "retry-after" in response.headers else None
        super().__init__(f"{self.status} {self.code}: {self.detail}")


class Handful:
    """Calls the service and waits."""

    def __init__(self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 60) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(api_key), timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def adapt(self, client_id: str, support: Iterable[tuple[Any, Any]], **options: Any) -> Answer:
        """Teach (input, label) pairs. Options: model, mode ("replace" or "append"), ttl_s."""
        return _answer(self._http.post("/adapt", json=_adapt_body(client_id, support, options)))

    def predict(self, client_id: str, inputs: Sequence[Any]) -> list[Answer]:
        """An answer for each input: label, probability and probabilities; or value."""
        predictions: list[Answer] = _answer(self._http.post("/predict", json=_predict_body(client_id, inputs)))[
            "predictions"
        ]
        return predictions

    def forget(self, client_id: str) -> None:
        """Remove a client."""
        _answer(self._http.delete(f"/clients/{quote(client_id, safe='')}"))


class AsyncHandful:
    """Calls the service from an event loop."""

    def __init__(self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 60) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(api_key), timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.aclose()

    async def adapt(self, client_id: str, support: Iterable[tuple[Any, Any]], **options: Any) -> Answer:
        """As `Handful.adapt`."""
        return _answer(await self._http.post("/adapt", json=_adapt_body(client_id, support, options)))

    async def predict(self, client_id: str, inputs: Sequence[Any]) -> list[Answer]:
        """As `Handful.predict`."""
        reply = await self._http.post("/predict", json=_predict_body(client_id, inputs))
        predictions: list[Answer] = _answer(reply)["predictions"]
        return predictions

    async def forget(self, client_id: str) -> None:
        """As `Handful.forget`."""
        _answer(await self._http.delete(f"/clients/{quote(client_id, safe='')}"))


def _headers(api_key: str | None) -> dict[str, str]:
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def _adapt_body(client_id: str, support: Iterable[tuple[Any, Any]], options: dict[str, Any]) -> Answer:
    examples = [{"input": _plain(one), "label": _plain(label)} for one, label in support]
    return {"client_id": client_id, "support": examples} | options


def _predict_body(client_id: str, inputs: Sequence[Any]) -> Answer:
    return {"client_id": client_id, "inputs": [_plain(one) for one in inputs]}


def _plain(value: Any) -> Any:
    """As JSON has it: files and bytes as base64, arrays as lists."""
    if isinstance(value, Path):
        value = value.read_bytes()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.tolist() if hasattr(value, "tolist") else value


def _answer(response: httpx.Response) -> Answer:
    if not response.is_success:
        raise RefusedError(response)
    answer: Answer = response.json() if response.content else {}
    return answer
