"""What the parsers of uploads have in common."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.inputs.json_limits import Bytes
from service.inputs.sent import Part, Row, Written


class Upload(NamedTuple):
    """A body to parse."""

    body: Bytes
    content_type: str
    columns: Mapping[str, str]
    """The columns of a CSV file that the query names: `text`, `label` and `id`."""
    labelled: bool
    """Whether each input needs a label."""
    limit: int
    """Maximum inputs."""
    field: str
    """The name of the list of inputs in JSON, for error messages."""


class Item(NamedTuple):
    """An input with its label and its id, if it has one."""

    input: Part | Row
    label: str | None = None
    id: str | None = None


def listed(items: Sequence[Item], field: str) -> dict[str, Any]:
    """The fields of a request, as JSON would have them."""
    return {field: [item.input if field == "inputs" else _example(item) for item in items]}


def _example(item: Item) -> dict[str, Any]:
    label = None if item.label is None else Written(item.label)
    return {"input": item.input, "label": label} | ({} if item.id is None else {"id": item.id})
