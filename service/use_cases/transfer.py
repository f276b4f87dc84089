"""The use cases that move clients between services: export and import. Knows neither HTTP nor Redis commands."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from service.arrays import Array
from service.cards import Card
from service.clock import Clock
from service.errors import Conflict, Unprocessable
from service.executor import Executor
from service.inputs.decoder import Decoder
from service.inputs.label_sets import LabelSet
from service.inputs.prepare import like
from service.store.examples import NAME, form_of
from service.store.records import Adapted, ClientKey, Record
from service.use_cases.client_file import ClientFile, to_file
from service.use_cases.gathering import NOTHING, Gathered, gather, known_of
from service.use_cases.learning import Learning, Lesson, check_expected, retried
from service.use_cases.support_sets import checked_some_labels

THREADS = Executor("file")


class Transfer:
    """The use cases, for the clients of all tenants."""

    def __init__(self, learning: Learning, decoder: Decoder) -> None:
        self._learning, self._store, self._decoder = learning, learning.store, decoder

    async def export(
        self, client: ClientKey, version: int | None = None, admit: Callable[[int], None] = lambda size: None
    ) -> tuple[Record, bytes]:
        """The record and the file of a version.

        Args:
            client: The client.
            version: The version; None: the current one.
            admit: Is called before the inputs are read, with their bytes. May raise.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: There is nothing to export.
        """

        def choose(record: Record, rows: Sequence[int], _: Sequence[Any]) -> Sequence[int]:
            admit(len(rows) * (record.form.size() if record.form else 0))
            return range(len(rows))

        contents = await self._store.contents(client, version, choose)
        size = sum(len(example.raw) for example in contents.examples)
        return contents.record, await THREADS.run(lambda: to_file(contents), size)

    async def load(
        self, client: ClientKey, file: ClientFile, *, append: bool = False, expected: Collection[str] | None = None
    ) -> Adapted:
        """Create or replace a client from a file. The state is made here, whatever weights the file was made with.

        Args:
            client: The client.
            file: The file.
            append: Add to the client's examples. Those with the same ids are stored once.
            expected: Entity tags of versions that may be changed; None: any.

        Raises:
            UnknownModel: The model of the file is not served here.
            Conflict: The model takes other inputs here, or an id belongs to another example.
            Unprocessable: The examples are invalid.
        """
        card = self._learning.catalogue[file.header.model]
        _check(file, card)
        bounded = append or file.header.keep > 0
        self._learning.support_sets.check_new(card, 0, len(file.labels), bounded=bounded)
        checked = file._replace(
            inputs=await self._checked_inputs(client, file.inputs, card),
            labels=checked_some_labels(card, None, sent(file)),
        )
        load = self._append if append else self._replace
        return await retried(lambda: load(client, checked, card, expected))

    async def _replace(
        self, client: ClientKey, file: ClientFile, card: Card, expected: Collection[str] | None
    ) -> Adapted:
        clock, after = Clock(), await self._learning.expected(client, expected)
        header = file.header
        lesson = await self._lesson(file, card, NOTHING, bounded=header.keep > 0)
        lesson = lesson._replace(keep=header.keep, half_life_s=header.half_life_s)
        lesson = await self._learning.bounded(lesson, 0)
        return await self._learning.learn(client, lesson, clock, after=after)

    async def _append(
        self, client: ClientKey, file: ClientFile, card: Card, expected: Collection[str] | None
    ) -> Adapted:
        clock, contents = Clock(), await self._store.contents(client)
        record = contents.record
        check_expected(record, expected)
        if record.model != card.name:
            raise Conflict(f"The client's model is {record.model!r}, and that of the file is {card.name!r}.")
        file = file._replace(labels=checked_some_labels(card, record, sent(file)))
        lesson = await self._lesson(file, card, known_of(contents), bounded=record.keep > 0)
        lesson = lesson.of(record)._replace(expires_at=record.expires_at)
        lesson = await self._learning.bounded(lesson, len(contents.examples))
        return await self._learning.learn(client, lesson, clock, after=record)

    async def _lesson(self, file: ClientFile, card: Card, known: Gathered, *, bounded: bool = False) -> Lesson:
        """What the client has, and the examples of the file with their ids and times."""
        header, gathered = file.header, known
        self._learning.support_sets.check_new(card, len(known.examples), len(file.labels), bounded=bounded)
        if file.inputs is not None:
            classes = card.kind == "classification"
            places = [f"support[{i}]" for i in range(len(file.labels))]
            gathered = await gather(
                card.input, known, file.inputs, file.labels, header.ids, classes=classes, twice=False, places=places
            )
        times, old = dict(zip(header.ids, header.times, strict=True)), {example.id for example in known.examples}
        examples = [
            each if each.id in old else each._replace(created_at=times.get(each.id, each.created_at))
            for each in gathered.examples
        ]
        return Lesson(
            card, examples, gathered.labels, gathered.form, header.label_names, None, "import",
            ids=gathered.ids, warnings=gathered.warnings,
        )  # fmt: skip

    async def _checked_inputs(self, client: ClientKey, inputs: Array | None, card: Card) -> Array | None:
        """The inputs, if the model could have got them from a client. Pixels of the right size always are."""
        if inputs is None:
            return None
        expected = form_of(np.asarray(card.input.examples(1, np.random.default_rng(0))))
        inputs = await like(card.input, inputs, expected.shape)
        if form_of(inputs) != expected:
            raise Conflict(f"The inputs of the file are {form_of(inputs)}; {card.name!r} takes {expected}.")
        if inputs.dtype == np.uint8:
            return inputs
        try:
            raw: list[Any] = await THREADS.run(lambda: card.input.show(inputs), inputs.nbytes)
        except ValueError:
            raise Unprocessable("The inputs of the file are no inputs of its model.") from None
        decoded = await self._decoder.decode(card.input, raw, [f"inputs[{i}]" for i in range(len(raw))], client.tenant)
        return decoded.array()


def sent(file: ClientFile) -> list[Any]:
    """The labels of a file as a request would send them."""
    several = file.header.classes is not None
    return [LabelSet(label) if several and isinstance(label, list) else label for label in file.labels]


def _check(file: ClientFile, card: Card) -> None:
    """Refuse a file whose model takes other inputs here, or whose ids are no names."""
    header = file.header
    regression = card.kind == "regression"
    if not card.input.takes(header.input or {}) or (header.classes is None) != regression:
        raise Conflict(
            f"The file was made for a model {card.name!r} of other inputs or labels. Adapt the client with its "
            "examples again.",
            field="model",
        )
    wrong = next((name for name in header.ids if not re.fullmatch(NAME, name)), None)
    if wrong is not None:
        raise Unprocessable(f"ids: {wrong[:40]!r} is no id of an example.", field="ids")
