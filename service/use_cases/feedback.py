"""Feedback: the right label of a recent query makes it an example. Its input is kept for that, if the client asked."""

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from service.errors import CorruptRecord, NotFound, Unavailable, Unprocessable
from service.inputs.kind import InputWarning
from service.store.records import Adapted, ClientKey, RequestKey
from service.store.store import Store
from service.use_cases.adapting import Adapting, Teaching
from service.use_cases.gathering import Given
from service.use_cases.predicting import Answered

TRIES = 3
"""Attempts to keep queries while other requests change the client."""


class Feedback:
    """The use cases, for the clients of all tenants."""

    def __init__(self, adapting: Adapting, store: Store) -> None:
        self._adapting, self._store = adapting, store

    async def keep(self, client: ClientKey, answered: Answered) -> tuple[list[str | None], list[InputWarning]]:
        """Keep the queries of a predict, if the client asked for that.

        Returns:
            The id of each prediction, none if the client did not ask, and None for a query that is over the limits; and
            a warning if nothing could be kept.
        """
        if not answered.current.keep_queries_s:
            return [], []
        name = secrets.token_hex(6)
        ids = [f"{name}-{i}" for i in range(len(answered.decoded))]
        try:
            if count := await self._keep(client, answered, ids):
                return [None] * (len(ids) - count) + ids[-count:], []
        except (NotFound, CorruptRecord, Unavailable):  # the predict has its answer
            pass
        return [], [InputWarning("inputs", "not_kept", "inputs: they could not be kept; no feedback on them.")]

    async def _keep(self, client: ClientKey, answered: Answered, ids: list[str]) -> int:
        record = answered.current
        for _ in range(TRIES):
            if not record.keep_queries_s or record.input != answered.record.input:
                break
            if count := await self._store.keep_queries(client, record, ids, answered.decoded):
                return count
            record = await self._store.record(client)
        return 0

    async def give(
        self,
        client: ClientKey,
        prediction: str,
        label: Any,
        request: RequestKey | None = None,
        expected: Collection[str] | None = None,
    ) -> Adapted:
        """Add the query of a prediction to the client's examples, and adapt to all of them.

        Args:
            client: The client.
            prediction: The id of the prediction.
            label: The right label.
            request: The idempotency key.
            expected: Entity tags of versions that may be changed; None: any.

        Raises:
            UnknownPrediction: Its query is not kept, or no longer.
            Unprocessable: The label does not fit the client. Other errors as of `Adapting.append`.
        """
        given = [Given(None, label)]
        teaching = Teaching(None, given, request=request, expected=expected, prediction=prediction)
        try:
            adapted = await self._adapting.append(client, teaching)
        except Unprocessable as error:
            if error.field != "support[0].label":
                raise
            raise Unprocessable(error.detail.replace("support[0].label", "label"), field="label") from None
        warnings = [
            replace(each, field="id", detail=each.detail.replace("support[0]", "id")) for each in adapted.warnings
        ]
        return adapted.model_copy(update={"warnings": warnings})
