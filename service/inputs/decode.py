"""What clients send, to arrays: inputs by the model's card, labels to class indices. All limits are checked here,
before any device work."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.arrays import Array
from service.cards import Card, ImageInput, VectorInput
from service.errors import Unprocessable
from service.inputs.image_files import decode_images
from service.inputs.pixel_budget import PixelBudget
from service.settings import Settings

LARGEST = 1e30
"""Of a number in a vector: its square would be beyond float32 long before."""

Label = Any
"""As it came: a string or an integer; for regression a number or a list of numbers."""
Classes = list[str] | list[int]


def decode_inputs(card: Card, raw: Sequence[Any], fields: Sequence[str], settings: Settings) -> Array:
    """Inputs as the card says, stacked: images (n, 1, size, size) uint8 ink, or vectors (n, length) float32."""
    match card.input:
        case ImageInput(size=size):
            return decode_images(raw, size, PixelBudget(settings.max_image_pixels), fields)
        case VectorInput(length=length):
            return np.stack([_vector(one, length, field) for one, field in zip(raw, fields, strict=True)])


def check_count(count: int, limit: int, field: str) -> None:
    """Refuse more of something than `limit`."""
    if count > limit:
        raise Unprocessable(f"{field}: {count} of them; the limit is {limit}.", field=field)


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
    """Labels as targets (n, outputs)."""
    return np.stack([_vector(label, outputs, f"support[{i}].label") for i, label in enumerate(labels)])


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


def _vector(raw: Any, length: int, field: str) -> NDArray[np.float32]:
    plain = raw.tolist() if isinstance(raw, (np.ndarray, np.generic)) else raw
    numbers = plain if isinstance(plain, list) else [plain]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        raise Unprocessable(f"{field}: takes {_expected(length)}, and nothing else.", field=field)
    if len(numbers) != length:
        raise Unprocessable(f"{field}: takes {_expected(length)}; {len(numbers)} came.", field=field)
    if not all(abs(number) < LARGEST for number in numbers):  # false for NaN and for the infinities too
        raise Unprocessable(f"{field}: holds NaN, an infinite number, or one beyond {LARGEST:g}.", field=field)
    return np.array(numbers, dtype=np.float32)


def _expected(length: int) -> str:
    return "a number" if length == 1 else f"a list of {length} numbers"


def _is_text(label: str) -> bool:
    """Whether it can be written as UTF-8: JSON's escapes can spell half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in label)
