"""Suggest which unlabelled inputs to label next."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from service.arrays import Array
from service.errors import TooFewExamples
from service.executor import Executor
from service.inputs.decoder import Decoder
from service.inputs.kind import InputWarning
from service.inputs.limits import check_count
from service.inputs.prepare import fit, prepare
from service.store.records import ClientKey, Record
from service.store.store import VersionMoved
from service.use_cases.learning import Learning, retried
from service.use_cases.predicting import Predicting
from service.use_cases.suggestion import Choice, most_worthy

THREADS = Executor("suggest")
MOST_INPUTS = 2000
"""Inputs of one request. Each is compared with each."""


class Suggested(NamedTuple):
    """The inputs of a client that are worth a label.

    `answers` are the probabilities (n, ways) or values (n, outputs) of all inputs; None if the client cannot predict.
    """

    record: Record
    choice: Choice
    answers: Array | None
    warnings: list[InputWarning]


class _Asked(NamedTuple):
    """Queries (n, *input) as the model takes them, with their answers as in `Suggested`."""

    record: Record
    queries: Array
    answers: Array | None
    warnings: list[InputWarning]


class Suggesting:
    """The use case, for the clients of all tenants."""

    def __init__(self, learning: Learning, predicting: Predicting, decoder: Decoder) -> None:
        self._learning, self._predicting, self._decoder = learning, predicting, decoder

    async def suggest(self, client: ClientKey, raw: Sequence[Any], count: int) -> Suggested:
        """The inputs that are most worth a label. Nothing is stored.

        Args:
            client: The client. It may have one class or none.
            raw: The inputs as they were sent.
            count: How many to choose.

        Raises:
            UnknownClient, Conflict, Unprocessable, TooCostly: As of a predict.
        """
        check_count(len(raw), min(MOST_INPUTS, self._learning.settings.max_queries), "inputs")
        asked = await retried(lambda: self._asked(client, raw))
        features = await self._learning.engine.features(asked.record.model, asked.queries, share=client)
        probabilities = None if asked.record.classes is None else asked.answers
        choice = await THREADS.run(lambda: most_worthy(features, probabilities, count), len(raw) ** 2)
        return Suggested(asked.record, choice, asked.answers, asked.warnings)

    async def _asked(self, client: ClientKey, raw: Sequence[Any]) -> _Asked:
        record = await self._learning.store.record(client)
        if not record.ready:
            return await self._unanswered(client, record, raw)
        try:
            return await self._answered(client, raw)
        except TooFewExamples:
            raise VersionMoved from None

    async def _answered(self, client: ClientKey, raw: Sequence[Any]) -> _Asked:
        found = await self._predicting.predict(client, raw)
        if found.record.several:  # several probabilities do not say how unsure the model is
            return _Asked(found.record, found.queries, None, found.warnings)
        answers = found.answers if found.record.classes is None else found.card.probabilities(found.answers)
        return _Asked(found.record, found.queries, answers, found.warnings)

    async def _unanswered(self, client: ClientKey, record: Record, raw: Sequence[Any]) -> _Asked:
        card, fields = self._learning.served(record), [f"inputs[{i}]" for i in range(len(raw))]
        decoded = await self._decoder.decode(card.input, raw, fields, client.tenant)
        columns, _ = await fit(card.input, decoded.array(), fields)
        return _Asked(record, await prepare(card.input, decoded.array(), columns), None, decoded.warnings)
