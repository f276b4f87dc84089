"""Drawings: image files in base64, or rows of numbers."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from service.arrays import Array
from service.errors import Unprocessable
from service.executor import SMALL
from service.inputs import saliency
from service.inputs.image_files import ENOUGH, READ, read_file
from service.inputs.kind import Columns, Decoded, InputKind, InputWarning
from service.inputs.limits import Limits, PixelBudget
from service.inputs.normalize import Drawings, drawings
from service.inputs.paper import Grey
from service.inputs.parts import Parts
from service.inputs.pixel_arrays import json_type, to_array, to_brightness
from service.inputs.resizing import resized
from service.inputs.sent import Part, image_of

PIXELS_PER_CHARACTER = 8
"""Work per character of an image file."""
TOGETHER = 2**20
"""Maximum pixels of numbers that are decoded together. Each takes about forty bytes of memory."""


class Drawing(InputKind):
    """A drawing: a base64 image file of any size and mode, or rows of numbers. It is scaled to `size` x `size`, with
    ink 1 and paper 0. Ink may be darker or lighter than the paper."""

    description: ClassVar = "a drawing (a base64 image file such as PNG or JPEG, or rows of numbers)"
    json_schemas: ClassVar = [{"type": "string"}, {"type": "array", "items": {"type": "array"}}]
    plural: ClassVar = "images"

    type: Literal["drawing"] = "drawing"
    size: int = Field(description="Pixels of each side.")

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to ink, uint8 (n, 1, size, size), 0 to 255."""
        ink, seen = decode_images(raw, self.size, PixelBudget(limits.image_pixels), fields)
        blank = [field for field, any_ink in zip(fields, seen, strict=True) if not any_ink]
        return Decoded(ink[:, None], [_no_ink(field) for field in blank])

    def of_part(self, part: Part) -> Any:
        """An image file, or numbers in JSON."""
        return image_of(part.content, part.place)

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """Ink, from 0 to 255. The steps are those for a clean scan."""
        return {
            "dtype": "uint8",
            "shape": [1, self.size, self.size],
            "steps": [
                "Convert to grey levels, and to ink: 0 is paper, 255 is ink. Dark ink on white paper is inverted.",
                "Pad to a square with paper, with the drawing in the middle.",
                f"Resize to {self.size} x {self.size}; each pixel is the mean of its area (BOX in Pillow).",
                "If the largest value is between 5 and 127, scale all so that it is 127.5.",
            ],
        }

    def prepare(self, inputs: Array, columns: Columns | None) -> Array:
        """The drawings in the size of the model, which examples of an earlier checkpoint may not have."""
        return resized(inputs, (1, self.size, self.size))

    def takes(self, known: dict[str, Any]) -> bool:
        """Drawings of any size."""
        return known.get("type") == self.type

    def like(self, inputs: Array, shape: Sequence[int]) -> Array:
        """The drawings in another size."""
        return resized(inputs, shape)

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts:
        """The squares with ink."""
        return saliency.of_drawing(one)

    def weights_bytes(self) -> int:
        """The heat map."""
        return saliency.png_bytes(self.size)

    def examples(self, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Noise (count, 1, size, size)."""
        return rng.integers(0, 256, (count, 1, self.size, self.size), dtype=np.uint8)

    def work(self, raw: Sequence[Any]) -> int:
        """The pixels of the squares that the drawings are padded to."""
        return sum(_pixels(one) for one in raw)

    def is_heavy(self, raw: Sequence[Any]) -> bool:
        """Whether any drawing is an image file, or there are many pixels."""
        return any(isinstance(one, str) for one in raw) or self.work(raw) > SMALL


def decode_images(raw: Sequence[Any], size: int, pixels: PixelBudget, fields: Sequence[str]) -> Drawings:
    """Decode base64 image files or rows of numbers (lists or arrays) to ink (n, size, size).

    Rows of numbers of one shape are decoded together, which is several times as fast. Files are decoded one by one,
    because together they could take too much memory. Raises Unprocessable with the field of the wrong input.
    """
    if all(isinstance(one, (list, np.ndarray)) for one in raw):
        sheets = [to_array(one, pixels, field) for one, field in zip(raw, fields, strict=True)]
        count = max(1, TOGETHER // sheets[0].size) if len({sheet.shape for sheet in sheets}) == 1 else 1
        parts = [slice(start, start + count) for start in range(0, len(sheets), count)]
        return _together([drawings(_brightness(sheets[part], fields[part]), size) for part in parts])
    return _together([drawings(_read(one, pixels, field), size) for one, field in zip(raw, fields, strict=True)])


def _brightness(sheets: Sequence[NDArray[Any]], fields: Sequence[str]) -> Grey:
    """The brightness of sheets of one shape; of large ones at a whole fraction of their size."""
    grey = to_brightness(np.stack(sheets), fields)
    factor = max(1, max(grey.shape[1:]) // ENOUGH)
    return grey if factor == 1 else np.stack([_reduced(one, factor) for one in grey])


def _reduced(grey: Grey, factor: int) -> Grey:
    return np.asarray(Image.fromarray(grey).reduce(factor))


def _together(several: Sequence[Drawings]) -> Drawings:
    return Drawings(np.concatenate([one.ink for one in several]), np.concatenate([one.seen for one in several]))


def _no_ink(field: str) -> InputWarning:
    return InputWarning(field, "no_ink", f"{field}: no ink was found. All of the image looks like paper.")


def _read(raw: Any, pixels: PixelBudget, field: str) -> Grey:
    if isinstance(raw, str):
        return read_file(raw, pixels, field)[None]
    if isinstance(raw, (list, np.ndarray)):
        return _brightness([to_array(raw, pixels, field)], [field])
    raise Unprocessable(
        f"{field}: a drawing is a base64 string ({READ}) or rows of numbers, not {json_type(raw)}.", field=field
    )


def _pixels(one: Any) -> int:
    if isinstance(one, str):
        return len(one) * PIXELS_PER_CHARACTER
    if isinstance(one, np.ndarray):
        return one.size if one.ndim < 2 else max(one.shape) ** 2
    if not isinstance(one, list):
        return 1
    rows = [len(row) for row in one if isinstance(row, list)]
    return max(len(one), *rows) ** 2 if rows else len(one)
