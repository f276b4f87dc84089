"""The clients: one that blocks, and one for event loops."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from service.client.calls import Calls
from service.client.refusals import Answer, RefusedError, answer_of, pause_s
from service.client.requests import adapt_request, forget_request, headers, path_of, predict_request

DEFAULT_URL = "http://127.0.0.1:8000"


class Handful(Calls[Answer]):
    """A blocking client.

    Args:
        url: Address of the service.
        api_key: The API key of the tenant, if the service needs one.
        timeout_s: Seconds to wait for each answer.
        retries: Maximum retries of a request after 429 or 503.
    """

    _http: httpx.Client

    def __init__(
        self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 60, retries: int = 4
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=headers(api_key), timeout=timeout_s)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def adapt(self, client_id: str, support: Iterable[tuple[Any, ...]], **options: Any) -> Answer:
        """Adapt a client's model to (input, label) pairs, or (input, label, id).

        Options: model, mode ("replace" or "append"), ttl_s, keep_duplicates, use_label_names, keep_queries_s,
        quality, if_match.
        """
        return self._send(adapt_request(self._http, client_id, support, options))

    def predict(self, client_id: str, inputs: Sequence[Any], **options: Any) -> list[Answer]:
        """The answer to each input: `label`, `probability` and `probabilities`, or `value`; with `abstain`, `unknown`.

        Options: top_k, version, abstain, coverage, min_probability.
        """
        return _predictions(self._send(predict_request(self._http, client_id, inputs, options)))

    def forget(self, client_id: str) -> None:
        """Remove a client."""
        self._send(forget_request(self._http, client_id))

    def export(self, client_id: str, path: Path) -> None:
        """Write a client to a file, for `restore`. The file is there once it is whole."""
        part = path.with_name(path.name + ".part")
        with self._http.stream("GET", path_of(client_id, "export")) as response:
            if not response.is_success:
                response.read()
                raise RefusedError(response)
            with part.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
        part.replace(path)

    def _send(self, request: httpx.Request) -> Answer:
        for attempt in range(self._retries):
            response = self._http.send(request)
            pause = pause_s(response, attempt)
            if pause is None:
                return answer_of(response)
            time.sleep(pause)
        return answer_of(self._http.send(request))


class AsyncHandful(Calls[Awaitable[Answer]]):
    """A client for event loops. Takes the arguments of `Handful`."""

    _http: httpx.AsyncClient

    def __init__(
        self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 60, retries: int = 4
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=headers(api_key), timeout=timeout_s)
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def adapt(self, client_id: str, support: Iterable[tuple[Any, ...]], **options: Any) -> Answer:
        """See `Handful.adapt`."""
        return await self._send(adapt_request(self._http, client_id, support, options))

    async def predict(self, client_id: str, inputs: Sequence[Any], **options: Any) -> list[Answer]:
        """See `Handful.predict`."""
        return _predictions(await self._send(predict_request(self._http, client_id, inputs, options)))

    async def forget(self, client_id: str) -> None:
        """See `Handful.forget`."""
        await self._send(forget_request(self._http, client_id))

    async def export(self, client_id: str) -> bytes:
        """The file of a client, for `restore`."""
        response = await self._http.get(path_of(client_id, "export"))
        if not response.is_success:
            raise RefusedError(response)
        return response.content

    async def _send(self, request: httpx.Request) -> Answer:
        for attempt in range(self._retries):
            response = await self._http.send(request)
            pause = pause_s(response, attempt)
            if pause is None:
                return answer_of(response)
            await asyncio.sleep(pause)
        return answer_of(await self._http.send(request))


def _predictions(answer: Answer) -> list[Answer]:
    predictions: list[Answer] = answer["predictions"]
    return predictions
