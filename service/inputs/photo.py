"""Photos: image files in base64, or numbers (height, width, 3)."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from models.photo_pixels import ENOUGH, Filter, square
from service.arrays import Array
from service.errors import Unprocessable
from service.executor import SMALL
from service.inputs import saliency
from service.inputs.image_files import READ, read_rgb
from service.inputs.kind import Columns, Decoded, InputKind
from service.inputs.limits import Limits, PixelBudget
from service.inputs.parts import Parts
from service.inputs.pixel_arrays import json_type, to_rgb
from service.inputs.resizing import resized
from service.inputs.sent import Part, image_of

PIXELS_PER_CHARACTER = 8
"""What a character of an image file counts for as work; it may stand for thousands of pixels."""

Pixels = NDArray[np.uint8]
"""Red, green and blue, 0 to 255."""


class Photo(InputKind):
    """A photo: a base64 image file of any size and mode, or nested numbers. The service cuts and
    resizes it to `size` x `size`, as the model's encoder expects it."""

    description: ClassVar = "a photo (a base64 image file such as JPEG, PNG or WebP, or numbers: height, width, 3)"
    json_schemas: ClassVar = [
        {"type": "string"},
        {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}},
    ]
    plural: ClassVar = "images"

    type: Literal["photo"] = "photo"
    size: int = Field(ge=1, le=2048, description="Pixels of each side.")
    crop: float = Field(1.0, gt=0, le=1, description="Side of the square that is kept, in parts of the shorter side.")
    resample: Filter = Field("bicubic", description="Filter of the resizing.")
    shortest: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Shorter side before the central square is cut out; then `crop` does not count.",
    )
    stretch: bool = Field(False, description="Whether the whole photo is squeezed into the square.")

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to uint8 (n, 3, size, size) of red, green and blue."""
        budget = PixelBudget(limits.image_pixels)
        squares = [self._square(_read(one, budget, field)) for one, field in zip(raw, fields, strict=True)]
        return Decoded(np.ascontiguousarray(np.stack(squares).transpose(0, 3, 1, 2)), [])

    def of_part(self, part: Part) -> Any:
        """An image file, or numbers in JSON."""
        return image_of(part.content, part.place)

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """Red, green and blue, from 0 to 255."""
        return {
            "dtype": "uint8",
            "shape": [3, self.size, self.size],
            "steps": [
                "Turn upright as EXIF says. What is transparent becomes white. Convert to RGB.",
                f"If a side has at least {2 * ENOUGH} pixels, reduce by the whole factor longer side // {ENOUGH}.",
                self._resizing(),
                "Move the axis of the colours to the front.",
            ],
        }

    def _resizing(self) -> str:
        how = f"{self.resample.upper()} in Pillow"
        if self.stretch:
            return f"Resize to {self.size} x {self.size}, whatever the shape ({how})."
        if self.shortest is not None:
            return (
                f"Resize the shorter side to {self.shortest}, the other one in proportion, rounded down ({how}). Cut "
                f"out the central square of {self.size}."
            )
        kept = "" if self.crop == 1 else f" of {self.crop:g} times the shorter side"
        return f"Cut out the central square{kept}, and resize it to {self.size} x {self.size} ({how})."

    def prepare(self, inputs: Array, columns: Columns | None) -> Array:
        """The photos in the size of the model, which examples of an earlier checkpoint may not have."""
        return resized(inputs, (3, self.size, self.size))

    def takes(self, known: dict[str, Any]) -> bool:
        """Photos of any size that were cut in the same way."""
        return known | {"size": self.size} == self.model_dump(mode="json")

    def like(self, inputs: Array, shape: Sequence[int]) -> Array:
        """The photos in another size."""
        return resized(inputs, shape)

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts:
        """The squares."""
        return saliency.of_photo(one)

    def weights_bytes(self) -> int:
        """The heat map."""
        return saliency.png_bytes(self.size)

    def examples(self, count: int, rng: np.random.Generator) -> Pixels:
        """Noise (count, 3, size, size)."""
        return rng.integers(0, 256, (count, 3, self.size, self.size), dtype=np.uint8)

    def work(self, raw: Sequence[Any]) -> int:
        """The numbers that are read and made."""
        return sum(_numbers(one) for one in raw) + len(raw) * 3 * self.size**2

    def is_heavy(self, raw: Sequence[Any]) -> bool:
        """Whether any photo is an image file, or there are many pixels."""
        return any(isinstance(one, str) for one in raw) or self.work(raw) > SMALL

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shortest is not None and self.shortest < self.size:
            raise ValueError(f"shortest is {self.shortest}, which is less than the size {self.size}")
        return self

    def _square(self, pixels: Pixels) -> Pixels:
        """The square (size, size, 3) of a photo (height, width, 3)."""
        return square(pixels, self.size, self.crop, self.resample, self.shortest, stretch=self.stretch)


def _read(raw: Any, budget: PixelBudget, field: str) -> Pixels:
    """Pixels (height, width, 3). Raises Unprocessable."""
    if isinstance(raw, str):
        return read_rgb(raw, budget, field)
    if isinstance(raw, (list, np.ndarray)):
        return to_rgb(raw, budget, field)
    raise Unprocessable(
        f"{field}: a photo is a base64 string ({READ}) or numbers (height, width, 3), not {json_type(raw)}.",
        field=field,
    )


def _numbers(one: Any) -> int:
    if isinstance(one, str):
        return len(one) * PIXELS_PER_CHARACTER
    if isinstance(one, np.ndarray):
        return one.size
    first = one[0] if isinstance(one, list) and one else None
    return 3 * len(one) * len(first) if isinstance(first, list) else 1
