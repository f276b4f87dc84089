"""Support sets from decoded inputs and labels, within the limits of the model and of the service."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.arrays import Array, SupportSet
from service.cards import Card
from service.errors import Contended, TooManyWays, Unprocessable
from service.inputs.labels import Classes, checked_labels, class_indices, class_names, regression_targets
from service.inputs.limits import check_count
from service.inputs.prepare import prepare
from service.inputs.sent import typed_labels
from service.settings import Settings
from service.store.reading import Contents
from service.store.records import ClientKey, Record
from service.store.store import Store


class SupportSets:
    """Makes support sets, and refuses those that are over a limit."""

    def __init__(self, catalogue: Mapping[str, Card], settings: Settings) -> None:
        self._catalogue, self._settings = catalogue, settings

    def check_examples(self, card: Card, count: int) -> None:
        """Refuse more examples than the service or the model takes. Raises Unprocessable."""
        check_count(count, self._settings.max_examples, "support")
        if card.max_examples is not None and count > card.max_examples:
            raise Unprocessable(
                f"support: {count} examples; {card.name} takes at most {card.max_examples}. Send fewer, or name "
                "another model.",
                field="support",
            )

    def make(
        self, card: Card, inputs: Array | None, labels: Sequence[Any], *, named: bool
    ) -> tuple[Classes | None, SupportSet]:
        """The classes, None for regression, and the support set. Raises Unprocessable and TooManyWays.

        There may be fewer classes than a predict needs, and no examples, without `inputs`.

        With `named`, the model may learn from the names of the classes.
        """
        inputs = np.zeros(0) if inputs is None else inputs
        if card.kind == "regression":
            return None, SupportSet(inputs, regression_targets(labels, card.outputs or 1), ways=0)
        classes, targets = class_indices(labels)
        self._check_ways(card, len(classes))
        return classes, SupportSet(inputs, targets, len(classes), class_names(classes, named=named))

    def _check_ways(self, card: Card, ways: int) -> None:
        """Raise TooManyWays. It names the models that take so many classes, or the setting to change."""
        limit = self._settings.max_ways
        if ways > limit:
            raise TooManyWays(
                f"support: {ways} classes; the limit of this service is {limit} (HANDFUL_MAX_WAYS).", field="support"
            )
        if card.max_ways is not None and ways > card.max_ways:
            others = ", ".join(other.name for other in self._like(card) if ways <= (other.max_ways or ways))
            way_out = f"Models that take {ways}: {others}." if others else "No model here takes that many."
            raise TooManyWays(
                f"support: {ways} classes; {card.name} takes at most {card.max_ways}. {way_out}", field="support"
            )

    def _like(self, card: Card) -> list[Card]:
        """The models for the same kind of answer and input."""
        return [other for other in self._catalogue.values() if (other.kind, other.input) == (card.kind, card.input)]


async def same_contents(store: Store, client: ClientKey, record: Record) -> Contents:
    """A version with its examples. Raises Contended if the client was replaced since its record was read."""
    contents = await store.contents(client, record.version)
    if contents.record.write != record.write:
        raise Contended("The client was replaced in the meantime. Try again.")
    return contents


async def prepared(card: Card, contents: Contents) -> SupportSet:
    """The support set of a version, with inputs as the model takes them. Raises CorruptRecord."""
    support = contents.support()
    return support._replace(inputs=await prepare(card.input, support.inputs, contents.record.columns))


def checked_new_labels(card: Card, record: Record | None, new: Sequence[Any]) -> list[Any]:
    """New labels of a client in their normal form; for regression lists of numbers. Raises Unprocessable."""
    known = record.classes if record else None
    numbers = card.kind == "regression" or bool(known and isinstance(known[0], int))
    new = typed_labels(new, numbers=numbers)
    if card.kind == "regression":
        targets: list[Any] = regression_targets(new, card.outputs or 1).tolist()
        return targets
    labels = checked_labels(new)
    if labels and known and type(labels[0]) is not type(known[0]):
        kind = "strings" if isinstance(known[0], str) else "integers"
        raise Unprocessable(f"support[0].label: this client's labels are {kind}.", field="support[0].label")
    return labels
