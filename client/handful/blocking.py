"""The client that blocks."""

import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
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


class Handful(Calls[Answer]):
    """A blocking client. Threads may share it.

    Args:
        url: Address of the service. Default: HANDFUL_URL, otherwise http://127.0.0.1:8000.
        api_key: The API key of the tenant, if the service needs one. Default: HANDFUL_KEY, for the default address.
        timeout_s: Seconds to wait for each answer.
        retries: Maximum retries of a request after a temporary error or a lost connection.
        parallel: Maximum requests at a time when a list is sent in several parts.
    """

    _http: httpx.Client

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
        self._http = httpx.Client(base_url=url, headers=headers(api_key), timeout=timeout_s)
        self._retries, self._parallel = retries, parallel
        weakref.finalize(self, self._http.close)  # a notebook seldom closes its client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def adapt(
        self,
        client_id: str,
        support: Any,
        labels: Any = None,
        *,
        progress: Progress = False,
        **options: Unpack[AdaptOptions],
    ) -> Answer:
        """Adapt a client's model to labelled examples.

        Args:
            client_id: Names the client.
            support: Pairs (input, label) or triples (input, label, id); or the inputs of each label, by label; or,
                with `labels`, inputs such as a list, an array or a data frame.
            labels: The label of each input. A set, or a list of texts, is several labels of one example.
            progress: True for a bar, or a function of the number of examples that are done and of all.
            **options: See `AdaptOptions`.

        Returns:
            The answer of the service. More examples than fit into one request are appended in further requests.

        Raises:
            RefusedError: The service has refused a request.
        """
        parts = list(adapt_parts(support, labels))
        answers: list[Answer] = []
        with progress_of(progress, sum(len(part) for _, part in parts)) as advance:
            for index, (offset, part) in enumerate(parts):
                tag = answers[-1].get("etag") if answers else None
                sent = options_of(dict(options), index, len(parts), tag)
                answers.append(self._at(offset, adapt_request(self._http, client_id, part, sent)))
                advance(len(part))
        return joined(answers)

    def predict(
        self,
        client_id: str,
        inputs: Any,
        *,
        batch: int | None = None,
        progress: Progress = False,
        **options: Unpack[PredictOptions],
    ) -> Predictions:
        """The answer to each input: `label`, `probability` and `probabilities`, or `value`; with `abstain`, `unknown`;
        with `explain`, `explanation`; with `interval`, `interval`; where examples may have several labels, `labels` and
        `probabilities`.

        Args:
            client_id: Names the client.
            inputs: A list, an iterator, an array (n, ...), or a data frame.
            batch: Maximum inputs of one request. All requests ask the same version of the client.
            progress: True for a bar, or a function of the number of inputs that are done and of all.
            **options: See `PredictOptions`.

        Raises:
            RefusedError: The service has refused a request.
        """
        with progress_of(progress, inputs) as advance:
            return Predictions(self._predicted(client_id, predict_parts(inputs, batch), dict(options), advance))

    def predict_iter(
        self, client_id: str, inputs: Any, *, progress: Progress = False, **options: Unpack[PredictOptions]
    ) -> Iterator[Answer]:
        """The answer to each input, as soon as the service has it. For very many inputs, as from an iterator.

        An input that is refused has an answer too, with `error`: its `code`, `detail` and more. Each answer has the
        `version` that has answered, which is the same for all. A connection that is lost is taken up again.

        Args:
            client_id: Names the client. Its model must not be transductive.
            inputs: A list, an iterator, an array (n, ...), or a data frame.
            progress: True for a bar, or a function of the number of inputs that are done and of all.
            **options: See `PredictOptions`.

        Raises:
            RefusedError: The service has refused a request as a whole.
        """
        with progress_of(progress, inputs) as advance:
            version = options.get("version")
            for part in predict_parts(inputs, streams.INPUTS):
                for answer in self._streamed(client_id, Lines(part, {**options, "version": version})):
                    advance(1)
                    yield answer
                    version = answer["version"]

    def forget(self, client_id: str, *, if_match: str | None = None) -> None:
        """Remove a client."""
        self._send(forget_request(self._http, client_id, if_match))

    def models(self) -> list[Answer]:
        """The cards of all models."""
        return list_of(self._answered(request_of(self._http, "GET", "/models")))

    def export(self, client_id: str, path: Path) -> None:
        """Write a client to a file, for `restore`. The file is there once it is whole."""
        self._download(request_of(self._http, "GET", path_of(client_id, "export")), path)

    def export_onnx(self, client_id: str, path: Path, *, version: int | None = None) -> None:
        """Write a client's adapted network to an ONNX file, which answers without the service. This takes seconds."""
        self._download(onnx_request(self._http, client_id, version), path)

    def _download(self, request: httpx.Request, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        with closing(self._http.send(request, stream=True)) as response:
            if not response.is_success:
                response.read()
                raise RefusedError(response)
            with part.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
        part.replace(path)

    def iter_clients(self) -> Iterator[Answer]:
        """All clients, page by page."""
        cursor: str | None = None
        while True:
            page = self.clients(cursor=cursor)
            yield from page["clients"]
            if (cursor := page["next_cursor"]) is None:
                return

    def _predicted(
        self, client_id: str, parts: Iterator[Part], options: dict[str, Any], advance: Callable[[int], None]
    ) -> Iterator[Answer]:
        """The answers to the parts, in order. The first one tells which version the others ask."""
        waiting: deque[Future[list[Answer]]] = deque()
        pool = ThreadPoolExecutor(self._parallel)
        try:
            for part in parts:
                waiting.append(pool.submit(self._predict_part, client_id, part, options))
                if len(waiting) > self._parallel or part[0] == 0:
                    answers = waiting.popleft().result()
                    options = same_version(options, answers)
                    yield from counted(answers, advance)
            while waiting:
                yield from counted(waiting.popleft().result(), advance)
        finally:
            pool.shutdown(cancel_futures=True)

    def _predict_part(self, client_id: str, part: Part, options: dict[str, Any]) -> list[Answer]:
        offset, inputs = part
        try:
            return [self._at(offset, predict_request(self._http, client_id, inputs, options))]
        except RefusedError as error:
            if not is_too_much(error, inputs):
                raise
        first, second = halves(part)
        answers = self._predict_part(client_id, first, options)
        return answers + self._predict_part(client_id, second, same_version(options, answers))

    def _streamed(self, client_id: str, lines: Lines) -> Iterator[Answer]:
        """The answers to the inputs, in one request or several."""
        while lines.left:
            try:
                with closing(self._answered(lines.request(self._http, client_id), stream=True)) as response:
                    if not response.is_success:
                        response.read()
                    lines.begin(response)
                    for line in response.iter_lines():
                        yield lines.answer(line)
            except (RefusedError, httpx.TransportError) as error:
                if lines.are_fewer_after(error):
                    continue
                if (wait := lines.pause_after(error, self._retries)) is None:
                    raise
                time.sleep(wait)

    def _at(self, offset: int, request: httpx.Request) -> Answer:
        """The answer to a part of a list that begins at `offset`."""
        try:
            return shifted_answer(self._send(request), offset)
        except RefusedError as error:
            raise error.at(offset) from None

    def _send(self, request: httpx.Request) -> Answer:
        return answer_of(self._answered(request))

    def _answered(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        for attempt in range(self._retries):
            wait: float | None
            try:
                response = self._http.send(request, stream=stream)
            except httpx.TransportError as error:
                if (wait := pause_after(error, request, attempt)) is None:
                    raise
            else:
                if (wait := pause_s(response, attempt)) is None:
                    return response
                response.close()
            time.sleep(wait)
        return self._http.send(request, stream=stream)
