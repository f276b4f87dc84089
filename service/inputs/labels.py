"""Labels: to class indices, or to the numbers that a regression learns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import Unprocessable
from service.inputs.vector import to_vector

Label = Any
"""As it came: a string or an integer; for regression a number or a list of numbers."""
Classes = list[str] | list[int]


def class_indices(labels: Sequence[Label]) -> tuple[Classes, NDArray[np.int64]]:
    """The classes, sorted, so that the order of the examples changes nothing, and each label's index among them."""
    check_labels(labels)
    classes: Classes = sorted(set(labels))  # all strings or all integers by now
    if len(classes) < 2:
        raise Unprocessable(
            f"support: all examples have the label {classes[0]!r}; give examples of two classes or more.",
            field="support",
        )
    index = {label: i for i, label in enumerate(classes)}
    return classes, np.array([index[label] for label in labels], dtype=np.int64)


def regression_targets(labels: Sequence[Label], outputs: int) -> NDArray[np.float32]:
    """Labels as targets (n, outputs). Raises Unprocessable."""
    return np.stack([to_vector(label, outputs, f"support[{i}].label") for i, label in enumerate(labels)])


def check_labels(labels: Sequence[Label]) -> None:
    """Refuse labels that are not all strings or all integers."""
    for i, label in enumerate(labels):
        field = f"support[{i}].label"
        if not (isinstance(label, str) or (type(label) is int and abs(label) < 2**53)):
            raise Unprocessable(f"{field}: a class is a string or an integer, of at most 2**53 - 1.", field=field)
        if type(label) is not type(labels[0]):
            raise Unprocessable(f"{field}: labels are all strings or all integers; this one differs.", field=field)
        if isinstance(label, str) and not (0 < len(label) <= 256 and _is_text(label)):
            raise Unprocessable(f"{field}: a label has 1 to 256 characters of Unicode.", field=field)


def _is_text(label: str) -> bool:
    """Whether it can be written as UTF-8: JSON's escapes can spell half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in label)
