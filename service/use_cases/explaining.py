"""Explain answers: which examples decided, and which parts of the input."""

import asyncio
from collections.abc import Sequence

from service.arrays import Array
from service.cards import Card
from service.errors import Unprocessable
from service.inputs.parts import InputWeights, Parts
from service.store.records import ClientKey
from service.use_cases.explanation import LISTED, Explained, Explanation, explained, explanation
from service.use_cases.learning import Learning
from service.use_cases.predicting import Answered, Predicting
from service.use_cases.support_sets import prepared, same_contents

EXAMPLE_BYTES = 512
"""The most bytes of an example in an explanation, beside its label."""


class Explaining:
    """The use case, for the clients of all tenants."""

    def __init__(self, learning: Learning, predicting: Predicting) -> None:
        self._store, self._engine, self._predicting = learning.store, learning.engine, predicting
        self._most = learning.settings.max_explained

    def check(self, card: Card, inputs: int) -> None:
        """Refuse to explain too many inputs, or values of several numbers. Raises Unprocessable."""
        if inputs > self._most:
            raise Unprocessable(
                f"inputs: {inputs} to explain; the limit is {self._most} (HANDFUL_MAX_EXPLAINED). Send at most "
                f"{self._most}, or leave `explain` out.",
                field="inputs",
            )
        if (card.outputs or 1) > 1:
            raise Unprocessable(
                f"explain: the answers of {card.name} have {card.outputs} numbers; only classes and single numbers are "
                "explained.",
                field="explain",
            )

    async def explain(self, client: ClientKey, answered: Answered) -> list[Explanation]:
        """The explanation of each answer.

        Raises:
            TooCostly: It takes too long. The error says how many answers can be explained.
            Contended: The client was changed in the meantime.
        """
        record, card = answered.record, answered.card
        contents = await same_contents(self._store, client, record)
        support = await prepared(card, contents)
        asked = explained(card, answered.answers)
        parts = [None if card.transductive else self._parts(answered, one, support.inputs) for one in answered.queries]
        hidden = sum(each.count for each in parts if each)
        found = await self._engine.explain(
            card.name, record.write, answered.queries, asked.contrast, support, hidden, share=client
        )
        totals = asked.differences(answered.answers).tolist()
        inputs = [await self._weights(client, answered, asked, row, each) for row, each in enumerate(parts)]
        return [explanation(contents, asked, row, totals[row], found, each) for row, each in enumerate(inputs)]

    @staticmethod
    def _parts(answered: Answered, one: Array, known: Array) -> Parts | None:
        return answered.card.input.parts(one, answered.record.columns, known)

    async def _weights(
        self, client: ClientKey, answered: Answered, asked: Explained, row: int, parts: Parts | None
    ) -> InputWeights | None:
        """By how much the difference falls when each part of an input is hidden."""
        if parts is None or not parts.count:
            return None
        hidden = await asyncio.to_thread(parts.hide)
        answers = await self._predicting.ask_again(client, answered, hidden)
        whole = asked.differences(answered.answers[row], row)
        return await asyncio.to_thread(parts.show, whole - asked.differences(answers, row))


def explanation_bytes(card: Card, labels: Sequence[str | int]) -> int:
    """The most bytes of an explanation as JSON."""
    longest = max((len(str(label).encode()) for label in labels), default=0)
    return (LISTED + 2) * (EXAMPLE_BYTES + 6 * longest) + card.input.weights_bytes()
