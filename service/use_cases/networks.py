"""The use case that takes a client's adapted network away, as an ONNX file. Knows neither HTTP nor Redis commands.

The `metadata_props` of a file. All but `format`, `client_id`, `model`, `algorithm`, `checkpoint`, `inference` and
`tokenizer` are JSON:

    format         "handful-onnx-1"
    client_id, version, model, algorithm, checkpoint   what was exported; `checkpoint` is the digest of the weights
    kind           "classification" or "regression"
    labels         the labels, texts or integers, in the order of the answers; null for regression
    several_labels whether the labels are independent, so that an input may have several or none
    temperature    what logits were divided by
    input          the input kind of the model, as on its card
    preparation    how an input becomes the array: `dtype` and `shape` of one input, `steps`, and what they need
    inference      "inductive": each input is answered alone
    tokenizer      of texts: the tokenizer, as the library `tokenizers` reads it
"""

from collections.abc import Callable

import numpy as np
import orjson

from service.arrays import Array
from service.cards import Card
from service.engine.base import ExportJob, Output
from service.inputs.prepare import prepare
from service.store.records import ClientKey, Record, StateKey
from service.use_cases.learning import Learning, retried
from service.use_cases.predicting import check_ready
from service.use_cases.states import States

FORMAT = "handful-onnx-1"
EXAMPLES = 3
"""Inputs with which a network is traced."""


class Networks:
    """The use case, for the clients of all tenants."""

    def __init__(self, learning: Learning) -> None:
        self._learning, self._store, self._engine = learning, learning.store, learning.engine
        self._states = States(learning.engine, learning.store)

    async def export(
        self, client: ClientKey, version: int | None = None, admit: Callable[[int], None] = lambda size: None
    ) -> tuple[Record, bytes]:
        """The record and the ONNX file of a version.

        Args:
            client: The client.
            version: The version; None: the current one.
            admit: Is called before the work with the bytes of the model's weights, about those of the file. May raise.

        Raises:
            UnknownClient, UnknownVersion, VersionGone: There is nothing to export.
            TooFewExamples: The version has too few examples.
            NotExportable: There is no ONNX file of its model.
        """
        return await retried(lambda: self._export(client, version, admit))

    async def _export(
        self, client: ClientKey, version: int | None, admit: Callable[[int], None]
    ) -> tuple[Record, bytes]:
        current, record = await self._store.version(client, version)
        served = self._learning.served(record)
        check_ready(record)
        admit(self._learning.settings.weights(served.name).stat().st_size)
        key = StateKey(client, record.write, served.checkpoint)
        state = await self._states.get(key, served, record, past=record.write != current.write)
        card = served.for_task(*record.task)
        example = await _example(card, record)
        job = ExportJob(card.name, state, example, _output(record), card.temperature, metadata(record, card))
        return record, await self._engine.export(job, share=client)


async def _example(card: Card, record: Record) -> Array:
    """Some inputs, as the model takes them."""
    examples = card.input.examples(EXAMPLES, np.random.default_rng(0))
    return await prepare(card.input, np.asarray(examples), record.columns)


def _output(record: Record) -> Output:
    if record.classes is None:
        return "values"
    return "independent" if record.several else "probabilities"


def metadata(record: Record, card: Card) -> dict[str, str]:
    """The metadata of a file."""
    plain = {
        "format": FORMAT,
        "client_id": record.client_id,
        "model": record.model,
        "algorithm": card.algorithm,
        "checkpoint": card.checkpoint,
        "inference": "inductive",
    }
    fields = {
        "version": record.version,
        "kind": card.kind,
        "labels": record.classes,
        "several_labels": record.several,
        "temperature": card.temperature,
        "input": card.input.model_dump(mode="json"),
        "preparation": card.input.preparation(record.columns),
    }
    return plain | {name: orjson.dumps(value).decode() for name, value in fields.items()}
