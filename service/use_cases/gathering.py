"""New examples among those that a client has: their ids, duplicates and contradictions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from service.arrays import Array
from service.errors import Conflict
from service.executor import BYTES_PER_EXAMPLE, Executor
from service.inputs.kind import InputKind, InputWarning
from service.store.examples import Example, Form, content_id, digest, form_of, free_id, to_raw
from service.store.reading import Contents

THREADS = Executor("gather")

WARNINGS = 20
"""Warnings of one kind in an answer."""


class Given(NamedTuple):
    """A labelled input as it was sent. `id` is None when the service chooses one."""

    input: Any
    label: Any
    id: str | None = None


class Gathered(NamedTuple):
    """All examples with their labels, the ids of the examples of the request, and the form of the inputs."""

    examples: list[Example]
    labels: list[Any]
    ids: list[str]
    form: Form | None
    warnings: list[InputWarning]


class Gatherer:
    """Adds examples to those of a client.

    Args:
        examples: The examples that the client has.
        labels: Their labels.
        contradictions: Whether one input should have one label, as for classes.
        duplicates: Whether the same example is stored again when it is sent again.
    """

    def __init__(
        self, examples: Sequence[Example], labels: Sequence[Any], *, contradictions: bool, duplicates: bool
    ) -> None:
        self._contradictions, self._duplicates = contradictions, duplicates
        self._by_id: dict[str, tuple[str, bytes]] = {}
        self._by_content: dict[tuple[str, bytes], str] = {}
        self._by_input: dict[str, dict[bytes, Any]] = {}
        self.examples, self.labels = list(examples), list(labels)
        self._warnings: dict[str, list[InputWarning]] = {"duplicate": [], "contradiction": []}
        for example, label in zip(examples, labels, strict=True):
            self._note(example, label)

    def add(self, inputs: Array, labels: Sequence[Any], ids: Sequence[str | None], places: Sequence[str]) -> list[str]:
        """Add decoded inputs (n, *input) with their labels. `places` are their places in the request. Returns the id
        of each. Raises Conflict."""
        now = datetime.now(UTC)
        return [self._add(*each, now) for each in zip(places, to_raw(inputs), labels, ids, strict=True)]

    def _add(self, field: str, raw: bytes, label: Any, given: str | None, now: datetime) -> str:
        content = digest(raw), orjson.dumps(label)
        if given is not None and self._by_id.get(given, content) != content:
            raise Conflict(
                f"{field}.id: the client has another example with the id {given!r}. PATCH or DELETE that one, or send "
                "another id.",
                field=f"{field}.id",
            )
        there = given if given in self._by_id else None if given or self._duplicates else self._there(content, label)
        if there is not None:
            self._warn(field, "duplicate", f"{field}: the client has this example, {there!r}. It is stored once.")
            return there
        self._check(field, content)
        name = given or free_id(content_id(content[0], label), self._by_id)
        example = Example(name, now, content[0], raw)
        self.examples.append(example)
        self.labels.append(label)
        self._note(example, label)
        return name

    def _there(self, content: tuple[str, bytes], label: Any) -> str | None:
        """The example that has this content; for one without a label, any that has this input."""
        if label is not None:
            return self._by_content.get(content)
        return next((self._by_content[content[0], text] for text in self._by_input.get(content[0], {})), None)

    def _note(self, example: Example, label: Any) -> None:
        content = example.digest, orjson.dumps(label)
        self._by_id[example.id] = content
        self._by_content.setdefault(content, example.id)
        self._by_input.setdefault(example.digest, {})[content[1]] = label

    def _check(self, field: str, content: tuple[str, bytes]) -> None:
        known = self._by_input.get(content[0], {})
        others = [label for text, label in known.items() if text != content[1] and label is not None]
        if others and self._contradictions:
            self._warn(
                field, "contradiction", f"{field}: another example has the same input and the label {others[0]!r}."
            )

    def _warn(self, field: str, code: str, detail: str) -> None:
        self._warnings[code].append(InputWarning(field, code, detail))

    def warnings(self) -> list[InputWarning]:
        """The first warnings of each kind, and how many more there are."""
        found = []
        for code, warnings in self._warnings.items():
            found += warnings[:WARNINGS]
            if (more := len(warnings) - WARNINGS) > 0:
                found.append(InputWarning("support", code, f"support: {more} more examples have this warning."))
        return found


async def gather(
    kind: InputKind,
    known: Gathered,
    inputs: Array,
    labels: Sequence[Any],
    ids: Sequence[str | None],
    *,
    classes: bool,
    twice: bool,
    places: Sequence[str],
) -> Gathered:
    """Add new examples to known ones; many or large ones in a thread.

    Args:
        kind: The kind of the inputs.
        known: The examples that the client has. New inputs get their size.
        inputs: New inputs (n, *input).
        labels: Their labels.
        ids: Their ids, None where the service chooses one.
        classes: Whether the labels are classes.
        twice: Whether the same example is stored again when it is sent again.
        places: The place of each in the request, for warnings and errors.

    Raises:
        Conflict: An id belongs to another example, or the inputs have another size.
    """

    def work() -> Gathered:
        new_inputs = inputs if known.form is None else kind.like(inputs, known.form.shape)
        form = form_of(new_inputs)
        if known.form not in (None, form):
            raise Conflict("The client's examples were made for another input size of this model. Replace them all.")
        gatherer = Gatherer(known.examples, known.labels, contradictions=classes, duplicates=twice)
        new = gatherer.add(new_inputs, labels, ids, places)
        return Gathered(gatherer.examples, gatherer.labels, new, form, gatherer.warnings())

    return await THREADS.run(work, inputs.nbytes + BYTES_PER_EXAMPLE * (len(known.examples) + len(ids)))


def known_of(contents: Contents) -> Gathered:
    """The examples that a client has."""
    form = contents.record.form if contents.examples else None
    return Gathered(contents.examples, contents.labels(), [], form, [])


NOTHING = Gathered([], [], [], None, [])
