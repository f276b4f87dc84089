"""Vectors of a fixed length."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from service import absent
from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.kind import Columns, Decoded, InputKind, InputWarning
from service.inputs.limits import Limits
from service.inputs.parts import Parts, of_numbers
from service.inputs.sent import Part, Row, cells_of, numbers_of

WARNINGS = 20
"""Warnings of one request."""
LARGEST = 1e30
"""Limit on the numbers of a vector, so that their squares fit into float32 after scaling."""


class Vector(InputKind):
    """A vector of numbers. A vector of length 1 may also be sent as a number."""

    description: ClassVar = "a vector of numbers (a number, for a length of 1)"
    json_schemas: ClassVar = [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]

    type: Literal["vector"] = "vector"
    length: int
    within: tuple[float, float] | None = Field(
        None,
        description="The numbers that the model was trained on, from and to. Others are taken with a warning.",
        exclude_if=absent.if_none,
    )

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to float32 (n, length)."""
        vectors = [to_vector(one, self.length, field) for one, field in zip(raw, fields, strict=True)]
        decoded = np.stack(vectors)
        return Decoded(decoded, self._outside(decoded, fields))

    def of_part(self, part: Part) -> Any:
        """A number, a list in JSON, or numbers with commas between."""
        return numbers_of(part.content, part.place)

    def of_row(self, row: Row) -> list[Any]:
        """The numbers of a row."""
        return list(cells_of(row.values).values())

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """The numbers as they are."""
        return {"dtype": "float32", "shape": [self.length], "steps": ["Take the numbers as they are."]}

    def takes(self, known: dict[str, Any]) -> bool:
        """Vectors of the same length."""
        return (known.get("type"), known.get("length")) == (self.type, self.length)

    def _outside(self, vectors: NDArray[np.float32], fields: Sequence[str]) -> list[InputWarning]:
        if self.within is None:
            return []
        low, high = self.within
        outside = np.any((vectors < low) | (vectors > high), axis=1).tolist()
        detail = f"the model was trained on {low:g} to {high:g}; outside, neither answer nor interval holds."
        return [
            InputWarning(field, "out_of_range", f"{field}: {detail}")
            for field, out in zip(fields, outside, strict=True)
            if out
        ][:WARNINGS]

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts | None:
        """The numbers."""
        return of_numbers(one, known)

    def examples(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Uniform numbers (count, length) between -1 and 1."""
        return rng.uniform(-1, 1, (count, self.length)).astype(np.float32)

    def work(self, raw: Sequence[Any]) -> int:
        """The numbers."""
        return sum(one.size if isinstance(one, np.ndarray) else len(one) if isinstance(one, list) else 1 for one in raw)


def to_vector(raw: Any, length: int, field: str) -> NDArray[np.float32]:
    """A number or a list of numbers as float32 (length,). Raises Unprocessable."""
    plain = raw.tolist() if isinstance(raw, (np.ndarray, np.generic)) else raw
    numbers = plain if isinstance(plain, list) else [plain]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        raise Unprocessable(f"{field}: takes only {_expected(length)}.", field=field)
    if len(numbers) != length:
        raise Unprocessable(f"{field}: takes {_expected(length)}, not {len(numbers)} numbers.", field=field)
    if not all(abs(number) < LARGEST for number in numbers):  # also False for NaN and infinities
        raise Unprocessable(f"{field}: contains NaN, an infinite number, or a number beyond {LARGEST:g}.", field=field)
    return np.array(numbers, dtype=np.float32)


def _expected(length: int) -> str:
    return "a number" if length == 1 else f"a list of {length} numbers"
