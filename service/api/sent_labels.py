"""The label of an example or a query as a request sends it: `label`, or `labels` for several or none."""

from typing import Annotated, Any

from pydantic import WithJsonSchema

from service.errors import Unprocessable
from service.inputs.label_sets import LabelSet

LabelsIn = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "description": "Several classes, or none. For models with `several_labels` on their card.",
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "examples": [["billing", "urgent"]],
        }
    ),
]


def sent_label(label: Any, labels: list[Any] | None, given: set[str], place: str = "") -> Any:
    """The label, or the `LabelSet` of several.

    Args:
        label: The field `label`.
        labels: The field `labels`.
        given: The names of the fields that were sent.
        place: The place of the example in the request, with a dot behind it.

    Raises:
        Unprocessable: Both fields were sent, or none.
    """
    if labels is None and "label" in given:
        return label
    if labels is None or "label" in given:
        found = "`label` or `labels` is missing" if labels is None else "send `label` or `labels`, not both"
        raise Unprocessable(f"{place}label: {found}.", field=f"{place}label")
    return LabelSet(labels)
