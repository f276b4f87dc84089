"""Long lists as several requests, each within the limits of a service."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from handful.inputs import examples, listed, plain, size_of
from handful.refusals import Answer, RefusedError, shifted

Item = TypeVar("Item")
Part = tuple[int, list[Any]]
"""The index of the first input, and the inputs as JSON."""

BATCH = 500
"""Inputs of one /predict. A service takes HANDFUL_MAX_QUERIES, 1000 by default."""
PREDICT_BYTES, ADAPT_BYTES = 8 * 2**20, 16 * 2**20
"""Bytes of one request. A service takes HANDFUL_MAX_BODY_BYTES, 32 MiB by default."""
TOO_MUCH = ("too_large", "answer_too_large", "too_costly")
"""Refusals after which half of the inputs may be accepted."""


class Predictions(list[Answer]):
    """The answers, one for each input.

    Attributes:
        model: The name of the model.
        version: The version of the client that has answered.
        inference: `inductive` or `transductive`.
        threshold: Where `unknown` begins, or None.
        warnings: Accepted inputs that may not be what was meant.
    """

    def __init__(self, parts: Iterable[Answer]) -> None:
        super().__init__()
        self.warnings: list[Answer] = []
        last: Answer = {}
        for last in parts:
            self.warnings += last.get("warnings", [])
            self.extend(last["predictions"])
        self.model: str | None = last.get("model")
        self.version: int | None = last.get("version")
        self.inference: str | None = last.get("inference")
        self.threshold: Answer | None = last.get("threshold")


def predict_parts(inputs: Any, batch: int | None = None) -> Iterator[Part]:
    """The inputs as JSON in parts, each with the index of its first input. There is one part at least."""
    return _parts(map(plain, listed(inputs)), batch or BATCH, PREDICT_BYTES)


def adapt_parts(support: Any, labels: Any) -> Iterator[Part]:
    """The examples as JSON in parts. There is one part at least."""
    return _parts(examples(support, labels), None, ADAPT_BYTES)


def halves(part: Part) -> tuple[Part, Part]:
    """Two parts of a part."""
    offset, inputs = part
    half = len(inputs) // 2
    return (offset, inputs[:half]), (offset + half, inputs[half:])


def same_version(options: dict[str, Any], answers: list[Answer]) -> dict[str, Any]:
    """The options of the parts of a list after the first, whose answers these are: the same version answers."""
    return options | {"version": options.get("version") or answers[0].get("version")}


def is_too_much(error: RefusedError, part: list[Any]) -> bool:
    """Whether the service may take a half of a part that it has refused."""
    return len(part) > 1 and (error.code in TOO_MUCH or (error.code == "invalid" and error.field == "inputs"))


def shifted_answer(answer: Answer, offset: int) -> Answer:
    """An answer whose warnings name places of the whole list."""
    if "warnings" not in answer or not offset:
        return answer
    moved = [warning | {"field": shifted(warning["field"], offset)} for warning in answer["warnings"]]
    return answer | {"warnings": moved}


def options_of(options: dict[str, Any], index: int, parts: int, tag: str | None) -> dict[str, Any]:
    """The options of one part of an adapt: the first creates or replaces the client, the others add to it.

    Each names the entity tag of the one before, so that a change by others in between is not lost.
    """
    last = index == parts - 1
    if index == 0:
        return {name: value for name, value in options.items() if name != "quality" or last}
    lasting = ("keep_duplicates", "quality") if last else ("keep_duplicates",)
    return {name: options[name] for name in lasting if name in options} | {"mode": "append", "if_match": tag}


def joined(answers: list[Answer]) -> Answer:
    """The answers of the parts of one adapt as one: the last one, with all ids, dropped ids and warnings."""
    if len(answers) == 1:
        return answers[0]
    found = [warning for answer in answers for warning in answer.get("warnings", [])]
    ids = [name for answer in answers for name in answer.get("ids", [])]
    dropped = [name for answer in answers for name in answer.get("dropped", [])]
    optional = {"warnings": found, "dropped": dropped}
    return answers[-1] | {"ids": ids} | {name: value for name, value in optional.items() if value}


def _parts(items: Iterable[Item], most: int | None, most_bytes: int) -> Iterator[tuple[int, list[Item]]]:
    part: list[Item] = []
    offset, size = 0, 0
    for item in items:
        bytes_ = size_of(item)
        if part and (len(part) == most or size + bytes_ > most_bytes):
            yield offset, part
            offset, part, size = offset + len(part), [], 0
        part.append(item)
        size += bytes_
    if part or not offset:
        yield offset, part


def counted(answers: list[Answer], advance: Callable[[int], None]) -> Iterator[Answer]:
    """The answers to the parts of a list, which count as progress."""
    for answer in answers:
        advance(len(answer["predictions"]))
        yield answer
