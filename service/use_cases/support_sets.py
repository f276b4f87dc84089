"""Support sets from decoded inputs and labels, within the limits of the model and of the service."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from service.arrays import UNLABELLED, Array, SupportSet
from service.cards import Card
from service.errors import Contended, TooManyWays, UnknownVersion, Unprocessable, VersionGone
from service.inputs.label_sets import LabelSet, checked_sets, class_sets
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

    def check_new(self, card: Card, known: int, given: int, *, bounded: bool) -> None:
        """The same before new examples are decoded. If each class keeps only so many, what stays is checked later."""
        if bounded:
            check_count(given, self._settings.max_examples, "support")
        else:
            self.check_examples(card, known + given)

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
        classes, targets = class_sets(labels) if several_labels(labels) else _class_indices(labels)
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
        known = card.input.model_dump(mode="json")
        return [other for other in self._catalogue.values() if other.kind == card.kind and other.input.takes(known)]


async def same_contents(store: Store, client: ClientKey, record: Record) -> Contents:
    """A version with its examples. Raises Contended if it is gone since its record was read."""
    with suppress(UnknownVersion, VersionGone):
        contents = await store.contents(client, record.version)
        if contents.record.write == record.write:
            return contents
    raise Contended("The client was changed in the meantime. Try again.")


async def prepared(card: Card, contents: Contents) -> SupportSet:
    """The support set of a version, with inputs as the model takes them. Raises CorruptRecord."""
    support = contents.support()
    return support._replace(inputs=await prepare(card.input, support.inputs, contents.record.columns))


def _class_indices(labels: Sequence[Any]) -> tuple[Classes, Array]:
    """The classes, and the index of each label; UNLABELLED for None."""
    targets, known = np.full(len(labels), UNLABELLED), [i for i, label in enumerate(labels) if label is not None]
    classes, targets[known] = class_indices([labels[i] for i in known])
    return classes, targets


def check_unlabelled(card: Card, *, several: bool) -> None:
    """Refuse examples without a label where nothing can be learned from them. Raises Unprocessable."""
    if card.kind == "regression" or not card.weighted_examples or several:
        what = "clients whose examples may have several labels learn" if several else f"{card.name} learns"
        raise Unprocessable(
            f"inputs: {what} nothing from inputs without a label. Models of classes with `weighted_examples` in GET "
            "/models do.",
            field="inputs",
        )


def checked_some_labels(card: Card, record: Record | None, new: Sequence[Any]) -> list[Any]:
    """The same where some examples have no label, None. Raises Unprocessable."""
    if None in (found := list(new)):
        check_unlabelled(card, several=bool(record and record.several))
    checked = iter(checked_new_labels(card, record, [label for label in found if label is not None]))
    return [None if label is None else next(checked) for label in found]


def checked_new_labels(card: Card, record: Record | None, new: Sequence[Any]) -> list[Any]:
    """New labels of a client in their normal form: lists where an example may have several, lists of numbers for
    regression. A single label for a client of several counts as a list of one. Raises Unprocessable."""
    known = record.classes if record else None
    numbers = card.kind == "regression" or bool(known and isinstance(known[0], int))
    new = typed_labels(new, numbers=numbers)
    if card.kind == "regression":
        _check_no_sets(card, new)
        targets: list[Any] = regression_targets(new, card.outputs or 1).tolist()
        return targets
    if any(isinstance(label, LabelSet) for label in new) or (record is not None and record.several):
        _check_several(card, record, new)
        return _of_one_type(checked_sets(new), record)
    return _of_one_type(checked_labels(new), record)


def _check_no_sets(card: Card, new: Sequence[Any]) -> None:
    if any(isinstance(label, LabelSet) for label in new):
        _check_several(card, None, new)


def several_labels(labels: Sequence[Any]) -> bool:
    """Whether these labels of classes are sets of them."""
    return any(isinstance(label, list) for label in labels)


def _check_several(card: Card, record: Record | None, new: Sequence[Any]) -> None:
    """Refuse several labels where they cannot be."""
    place = next((i for i, label in enumerate(new) if isinstance(label, LabelSet)), None)
    if record is not None and record.examples and not record.several:
        raise Unprocessable(
            f"support[{place}].labels: each example of this client has one `label`. Send that, or adapt the client "
            "again with all its examples in `labels`.",
            field=f"support[{place}].labels",
        )
    if not card.several_labels:
        raise Unprocessable(
            f"support[{place}].labels: {card.name} takes one `label` an example. Models with `several_labels` in GET "
            "/models take more.",
            field=f"support[{place}].labels",
        )
    wrong = next(
        (i for i, label in enumerate(new) if isinstance(label, list) and not isinstance(label, LabelSet)), None
    )
    if wrong is not None:
        field = f"support[{wrong}].label"
        raise Unprocessable(f"{field}: a class is a string or an integer. Send a list as `labels`.", field=field)


def _of_one_type(labels: list[Any], record: Record | None) -> list[Any]:
    """The labels. Refuse strings for a client of integers, and the other way round."""
    known = record.classes if record else None
    first = next((label for own in labels for label in (own if isinstance(own, list) else [own])), None)
    if first is not None and known and type(first) is not type(known[0]):
        kind = "strings" if isinstance(known[0], str) else "integers"
        raise Unprocessable(f"support[0].label: this client's labels are {kind}.", field="support[0].label")
    return labels
