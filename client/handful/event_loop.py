"""The client for event loops."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from handful import streams
from handful.address import address
from handful.batches import (
    Part,
    Predictions,
    adapt_parts,
    counted,
    halves,
    is_too_much,
    joined,
    options_of,
    predict_parts,
    same_version,
    shifted_answer,
)
from handful.calls import Calls
from handful.options import AdaptOptions, PredictOptions
from handful.progress import Progress, progress_of
from handful.refusals import Answer, RefusedError, answer_of, list_of, pause_after, pause_s
from handful.requests import (
    adapt_request,
    forget_request,
    headers,
    onnx_request,
    path_of,
    predict_request,
    request_of,
)
from handful.streams import Lines


class AsyncHandful(Calls[Awaitable[Answer]]):
    """A client for event loops. Takes the arguments of `Handful`."""

    _http: httpx.AsyncClient

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 60,
        retries: int = 4,
        parallel: int = 4,
    ) -> None:
        url, api_key = address(url, api_key)
        self._http = httpx.AsyncClient(base_url=url, headers=headers(api_key), timeout=timeout_s)
        self._retries, self._parallel = retries, parallel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def adapt(
        self,
        client_id: str,
        support: Any,
        labels: Any = None,
        *,
        progress: Progress = False,
        **options: Unpack[AdaptOptions],
    ) -> Answer:
        """See `Handful.adapt`."""
        parts = await asyncio.to_thread(lambda: list(adapt_parts(support, labels)))
        answers: list[Answer] = []
        with progress_of(progress, sum(len(part) for _, part in parts)) as advance:
            for index, (offset, part) in enumerate(parts):
                tag = answers[-1].get("etag") if answers else None
                sent = options_of(dict(options), index, len(parts), tag)
                answers.append(await self._at(offset, adapt_request(self._http, client_id, part, sent)))
                advance(len(part))
        return joined(answers)

    async def predict(
        self,
        client_id: str,
        inputs: Any,
        *,
        batch: int | None = None,
        progress: Progress = False,
        **options: Unpack[PredictOptions],
    ) -> Predictions:
        """See `Handful.predict`."""
        with progress_of(progress, inputs) as advance:
            found = self._predicted(client_id, predict_parts(inputs, batch), dict(options), advance)
            return Predictions([answer async for answer in found])

    async def predict_iter(
        self, client_id: str, inputs: Any, *, progress: Progress = False, **options: Unpack[PredictOptions]
    ) -> AsyncIterator[Answer]:
        """See `Handful.predict_iter`."""
        with progress_of(progress, inputs) as advance:
            version, parts = options.get("version"), predict_parts(inputs, streams.INPUTS)
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                async for answer in self._streamed(client_id, Lines(part, {**options, "version": version})):
                    advance(1)
                    yield answer
                    version = answer["version"]

    async def forget(self, client_id: str, *, if_match: str | None = None) -> None:
        """See `Handful.forget`."""
        await self._send(forget_request(self._http, client_id, if_match))

    async def models(self) -> list[Answer]:
        """See `Handful.models`."""
        return list_of(await self._answered(request_of(self._http, "GET", "/models")))

    async def export(self, client_id: str) -> bytes:
        """The file of a client, for `restore`."""
        return await self._content(request_of(self._http, "GET", path_of(client_id, "export")))

    async def export_onnx(self, client_id: str, *, version: int | None = None) -> bytes:
        """The ONNX file of a client's adapted network. See `Handful.export_onnx`."""
        return await self._content(onnx_request(self._http, client_id, version))

    async def _content(self, request: httpx.Request) -> bytes:
        response = await self._http.send(request)
        if not response.is_success:
            raise RefusedError(response)
        return response.content

    async def iter_clients(self) -> AsyncIterator[Answer]:
        """See `Handful.iter_clients`."""
        cursor: str | None = None
        while True:
            page = await self.clients(cursor=cursor)
            for client in page["clients"]:
                yield client
            if (cursor := page["next_cursor"]) is None:
                return

    async def _predicted(
        self, client_id: str, parts: Iterator[Part], options: dict[str, Any], advance: Callable[[int], None]
    ) -> AsyncIterator[Answer]:
        waiting: deque[asyncio.Task[list[Answer]]] = deque()
        try:
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                waiting.append(asyncio.create_task(self._predict_part(client_id, part, options)))
                if len(waiting) > self._parallel or part[0] == 0:
                    answers = await waiting.popleft()
                    options = same_version(options, answers)
                    for answer in counted(answers, advance):
                        yield answer
            while waiting:
                for answer in counted(await waiting.popleft(), advance):
                    yield answer
        finally:
            for task in waiting:
                task.cancel()

    async def _predict_part(self, client_id: str, part: Part, options: dict[str, Any]) -> list[Answer]:
        offset, inputs = part
        try:
            return [await self._at(offset, predict_request(self._http, client_id, inputs, options))]
        except RefusedError as error:
            if not is_too_much(error, inputs):
                raise
        first, second = halves(part)
        answers = await self._predict_part(client_id, first, options)
        return answers + await self._predict_part(client_id, second, same_version(options, answers))

    async def _streamed(self, client_id: str, lines: Lines) -> AsyncIterator[Answer]:
        while lines.left:
            try:
                response = await self._answered(lines.request(self._http, client_id), stream=True)
                async with aclosing(response):
                    if not response.is_success:
                        await response.aread()
                    lines.begin(response)
                    async for line in response.aiter_lines():
                        yield lines.answer(line)
            except (RefusedError, httpx.TransportError) as error:
                if lines.are_fewer_after(error):
                    continue
                if (wait := lines.pause_after(error, self._retries)) is None:
                    raise
                await asyncio.sleep(wait)

    async def _at(self, offset: int, request: httpx.Request) -> Answer:
        try:
            return shifted_answer(await self._send(request), offset)
        except RefusedError as error:
            raise error.at(offset) from None

    async def _send(self, request: httpx.Request) -> Answer:
        return answer_of(await self._answered(request))

    async def _answered(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        for attempt in range(self._retries):
            wait: float | None
            try:
                response = await self._http.send(request, stream=stream)
            except httpx.TransportError as error:
                if (wait := pause_after(error, request, attempt)) is None:
                    raise
            else:
                if (wait := pause_s(response, attempt)) is None:
                    return response
                await response.aclose()
            await asyncio.sleep(wait)
        return await self._http.send(request, stream=stream)
