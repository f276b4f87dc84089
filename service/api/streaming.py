"""Predict in a stream: an input a line, an answer a line."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.api.bodies.options import options_of
from service.api.dependencies import tenant, use_cases
from service.api.lines import NDJSON, Line, Lines, Outbox
from service.api.memory_budget import Reservation
from service.api.parsing import check_encoding
from service.api.predict_schemas import PredictRequest
from service.api.problem_details import described
from service.api.tenant_shares import TenantShares
from service.cards import Card
from service.errors import BadRequest, Busy, Contended, HandfulError, Unprocessable
from service.inputs.json_limits import check_structure, limits_for
from service.inputs.sent import Part, Placed, Row, place_of
from service.settings import Settings
from service.store.records import ClientKey, Record
from service.use_cases.predicting import Admit

PIECE = 128
"""Maximum inputs of one predict."""
PATIENCE, BUSY_S = 10, 1.0
"""How often a predict is tried while the queue is full, and the seconds between."""

Source = AsyncIterator[list[Line]]
Answer = Callable[[Request, PredictRequest, Admit], Awaitable[Response]]
"""Answers one predict in JSON, if its version is admitted."""


def wants_lines(request: Request) -> bool:
    """Whether the client asks for JSON Lines."""
    return NDJSON in request.headers.get("accept", "")


async def stream_lines(request: Request, answer: Answer) -> Response:
    """Answer a body of lines while it arrives. The options are in the query.

    Raises:
        HandfulError, RequestValidationError: The request cannot be answered at all.
    """
    settings: Settings = request.app.state.settings
    request.state.tenant = request.state.reservation.tenant = await tenant(request)
    check_encoding(request.headers)
    options = options_of(request.query_params, PredictRequest, "inputs")
    try:
        body = PredictRequest.model_validate(options | {"inputs": [None]})
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None
    lines = Lines(request, settings.max_body_bytes, settings.receive_timeout_s)
    return await streamed(request, body, _parsed(lines.arriving()), answer)


async def stream_inputs(request: Request, body: PredictRequest, answer: Answer) -> Response:
    """Answer a body that was read, a line for each input. Raises HandfulError."""
    return await streamed(request, body, _listed(request, body.inputs), answer)


async def streamed(request: Request, body: PredictRequest, source: Source, answer: Answer) -> Response:
    """A stream of answers from the version that is current now. Raises HandfulError if there is none."""
    cases, client = await use_cases(request), ClientKey(request.state.tenant, body.client_id)
    record, card = await cases.predicting.asked(client, body.version)
    if card.transductive:
        raise Unprocessable(
            f"{card.name} answers the inputs of a request together. Send them in one body, without `Accept: {NDJSON}`."
        )
    asked = body.model_copy(update={"version": record.version})
    return StreamedAnswers(Predicting(request, asked, answer, record), source, record.etag)


class Predicting:
    """Answers pieces of a stream, all from the version with the record."""

    def __init__(self, request: Request, body: PredictRequest, answer: Answer, record: Record) -> None:
        self._request, self._body, self._answer, self._record = request, body, answer, record
        settings: Settings = request.app.state.settings
        self.reservation: Reservation = request.state.reservation
        self._shares: TenantShares = request.app.state.shares
        most = settings.max_explained if body.explain else PIECE
        self.piece, self.max_waiting = min(most, settings.max_queries), settings.max_answer_bytes

    async def answers(self, lines: Sequence[Line]) -> list[bytes]:
        """An answer for each line. A wrong line does not affect the others."""
        written = {line.number: _failed(line, line.content) for line in lines if isinstance(line.content, HandfulError)}
        if asked := [line for line in lines if line.number not in written]:
            written |= await self._predicted(asked)
        return [written[line.number] for line in lines]

    async def _predicted(self, lines: Sequence[Line]) -> dict[int, bytes]:
        """Answers by number. A piece that is refused is answered in halves: only its wrong lines fail, and
        what is too much at once is answered."""
        try:
            return _written(lines, await self._asked(lines))
        except HandfulError as error:
            if len(lines) == 1 or not isinstance(error, Unprocessable):
                return {line.number: _failed(line, error) for line in lines}
        half = len(lines) // 2
        return await self._predicted(lines[:half]) | await self._predicted(lines[half:])

    async def _asked(self, lines: Sequence[Line]) -> dict[str, Any]:
        """The answer of one predict. Waits while the queue is full. Raises HandfulError."""
        body = self._body.model_copy(update={"inputs": [_placed(line) for line in lines]})
        for attempt in range(PATIENCE):
            with suppress(Busy) if attempt < PATIENCE - 1 else nullcontext():
                return await self._once(body)
            await asyncio.sleep(BUSY_S)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, body: PredictRequest) -> dict[str, Any]:
        before = self.reservation.size
        try:
            async with self._shares.turn(self.reservation.tenant, len(body.inputs)):
                found: dict[str, Any] = orjson.loads((await self._answer(self._request, body, self._admit)).body)
            return found
        finally:
            self.reservation.give_back(self.reservation.size - before)

    def _admit(self, record: Record, _: Card) -> None:
        """Refuse a version of the same number, of a client that was deleted and made again."""
        if record.write != self._record.write:
            raise Contended("The client was replaced in the meantime. Send what is left in a new request.")


class StreamedAnswers(Response):
    """Sends answers while inputs arrive. Stops when the client disconnects."""

    media_type = NDJSON

    def __init__(self, predicting: Predicting, source: Source, etag: str) -> None:
        super().__init__(headers={"ETag": etag})
        del self.headers["content-length"]
        self._predicting, self._source = predicting, source
        self._unread = predicting.reservation.beside()
        self._outbox = Outbox(predicting.max_waiting, self._unread)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by Starlette."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        producing = asyncio.create_task(self._produce())
        try:
            while answers := await self._outbox.take():
                await send({"type": "http.response.body", "body": answers, "more_body": True})
            await producing
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            producing.cancel()
            self._unread.release()

    async def _produce(self) -> None:
        size = self._predicting.piece
        try:
            async for lines in self._source:
                for start in range(0, len(lines), size):
                    await self._outbox.put(await self._predicting.answers(lines[start : start + size]))
        except ClientDisconnect:
            pass
        finally:
            await self._outbox.end()


async def _parsed(arriving: Source) -> Source:
    """Lines with their JSON value, or what is wrong with them."""
    async for lines in arriving:
        yield [line if isinstance(line.content, HandfulError) else _value(line) for line in lines]


async def _listed(request: Request, inputs: Sequence[Any]) -> Source:
    """Inputs that have arrived, in pieces, while the client is connected."""
    for start in range(0, len(inputs), PIECE):
        if await request.is_disconnected():
            raise ClientDisconnect
        yield [Line(start + i + 1, one) for i, one in enumerate(inputs[start : start + PIECE])]


def _value(line: Line) -> Line:
    try:
        check_structure(line.content, limits_for(1))
        return line._replace(content=orjson.loads(line.content))
    except orjson.JSONDecodeError as error:
        return line._replace(content=BadRequest(f"line {line.number}: not JSON in UTF-8: {error}."))
    except HandfulError as error:
        return line._replace(content=error)


def _placed(line: Line) -> Any:
    sent = isinstance(line.content, (Part, Row))
    return line.content if sent else Placed(line.content, f"line {line.number}")


def _written(lines: Sequence[Line], found: dict[str, Any]) -> dict[int, bytes]:
    """The predictions of one answer by number, each with its warnings."""
    places = {place_of(_placed(line), ""): line.number for line in lines}
    places |= {f"inputs[{i}]": line.number for i, line in enumerate(lines)}
    warnings: dict[int, list[Any]] = {}
    for each in found.get("warnings", ()):
        warnings.setdefault(places.get(each["field"], lines[0].number), []).append(each)
    return {
        line.number: _line(line.number, prediction | _of("warnings", warnings.get(line.number)))
        for line, prediction in zip(lines, found["predictions"], strict=True)
    }


def _of(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}


def _failed(line: Line, error: HandfulError) -> bytes:
    return _line(line.number, {"error": described(error)})


def _line(number: int, fields: dict[str, Any]) -> bytes:
    return orjson.dumps({"line": number} | fields) + b"\n"
