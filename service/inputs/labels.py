"""Convert labels to class indices, or to the targets of a regression.

Strings are compared and returned in Unicode normal form NFC, so that "é" is one class in all its encodings. Otherwise a
label is returned as it was sent.
"""

import unicodedata
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.arrays import Array, text_array
from service.errors import Unprocessable
from service.inputs.vector import LARGEST, to_vector

Label = Any
"""A string or an integer; for regression a number or a list of numbers."""
Classes = list[str] | list[int]

MAX_LENGTH = 256
"""Maximum characters of a label."""
NOT_TEXT = {
    "Cc": "control characters such as line breaks",
    "Cs": "unpaired surrogates",
    "Zl": "line separators",
    "Zp": "paragraph separators",
}
"""Categories of Unicode that a label cannot contain."""
INVISIBLE = "\u00ad\u180e\u200b\u2060\ufeff"
"""Characters that show nothing, such as a byte order mark; refused like white space where a label begins or ends."""


def class_indices(labels: Sequence[Label]) -> tuple[Classes, NDArray[np.int64]]:
    """The sorted classes, and the index of each label among them. The order of the examples does not matter."""
    labels = checked_labels(labels)
    classes: Classes = sorted(set(labels))  # all strings or all integers
    index = {label: i for i, label in enumerate(classes)}
    return classes, np.array([index[label] for label in labels], dtype=np.int64)


def class_names(classes: Classes | None, *, named: bool) -> Array | None:
    """The names of the classes as texts (ways,); None if they must not be used or are integers."""
    return text_array(classes) if named and classes and isinstance(classes[0], str) else None


def regression_targets(labels: Sequence[Label], outputs: int) -> NDArray[np.float32]:
    """Labels as targets (n, outputs). Raises Unprocessable."""
    if (found := _all_numbers(labels, outputs)) is not None:
        return found
    targets = [to_vector(label, outputs, f"support[{i}].label") for i, label in enumerate(labels)]
    return np.stack(targets) if targets else np.zeros((0, outputs), np.float32)


def _all_numbers(labels: Sequence[Label], outputs: int) -> NDArray[np.float32] | None:
    """The targets (n, outputs) of valid labels, all at once. None if a label has to be looked at."""
    rows = [label if type(label) is list else [label] for label in labels]
    numbers = list(chain.from_iterable(rows))
    if not (set(map(len, rows)) == {outputs} and set(map(type, numbers)) == {float}):
        return None
    found = np.array(numbers).reshape(-1, outputs)
    return found.astype(np.float32) if (np.abs(found) < LARGEST).all() else None


def checked_labels(labels: Sequence[Label]) -> list[Label]:
    """The labels, strings in NFC. Raises Unprocessable when they are not all strings or all integers."""
    for i, label in enumerate(labels):
        field = f"support[{i}].label"
        if not (isinstance(label, str) or (type(label) is int and abs(label) < 2**53)):
            raise Unprocessable(f"{field}: a class is a string or an integer, of at most 2**53 - 1.", field=field)
        if type(label) is not type(labels[0]):
            raise Unprocessable(f"{field}: labels are all strings or all integers; this one differs.", field=field)
        if isinstance(label, str) and (wrong := _wrong(label)):
            raise Unprocessable(f"{field}: {wrong}.", field=field)
    return [_nfc(label) if isinstance(label, str) else label for label in labels]


def _nfc(label: str) -> str:
    return unicodedata.normalize("NFC", label)


def _wrong(label: str) -> str | None:
    """What is wrong with a label."""
    if not 0 < len(label) <= MAX_LENGTH:
        return f"a label has 1 to {MAX_LENGTH} characters; this one has {len(label)}"
    if (length := len(_nfc(label))) > MAX_LENGTH:
        return f"a label has 1 to {MAX_LENGTH} characters; this one has {length} in Unicode's normal form NFC"
    if found := {unicodedata.category(character) for character in label} & NOT_TEXT.keys():
        return f"a label cannot contain {NOT_TEXT[min(found)]}"
    if label != label.strip():
        return "a label cannot begin or end with white space; remove it"
    if label != label.strip(INVISIBLE):
        return "a label cannot begin or end with an invisible character such as a byte order mark; remove it"
    return None
