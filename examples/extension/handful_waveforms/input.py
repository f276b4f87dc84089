"""An input kind: a series of numbers of any length. This module is loaded by the API processes and imports no torch."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import Unprocessable
from service.inputs.kind import Decoded, InputKind
from service.inputs.limits import Limits

LONGEST = 100_000


class Series(InputKind):
    """A series of 2 or more numbers. It is resampled to `length` numbers."""

    description: ClassVar = "a series of numbers of any length"
    json_schemas: ClassVar = [{"type": "array", "items": {"type": "number"}}]

    type: Literal["series"] = "series"
    length: int

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to float32 (n, length)."""
        return Decoded(np.stack([self._resampled(one, field) for one, field in zip(raw, fields, strict=True)]), [])

    def examples(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Uniform numbers (count, length) between -1 and 1."""
        return rng.uniform(-1, 1, (count, self.length)).astype(np.float32)

    def _resampled(self, raw: Any, field: str) -> NDArray[np.float32]:
        numbers = raw.tolist() if isinstance(raw, np.ndarray) else raw
        if not isinstance(numbers, list) or not all(type(number) in (int, float) for number in numbers):
            raise Unprocessable(f"{field}: must be a list of numbers.", field=field)
        if not 2 <= len(numbers) <= LONGEST:
            raise Unprocessable(f"{field}: has {len(numbers)} numbers; send 2 to {LONGEST}.", field=field)
        if not all(abs(number) < 1e30 for number in numbers):  # also false for NaN
            raise Unprocessable(f"{field}: contains NaN, or a number beyond 1e30.", field=field)
        places = np.linspace(0, len(numbers) - 1, self.length)
        return np.interp(places, np.arange(len(numbers)), numbers).astype(np.float32)
