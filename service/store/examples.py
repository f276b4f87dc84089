"""Examples as they are stored: an id, a time, and the bytes of the decoded input."""

import hashlib
from collections.abc import Container, Sequence
from datetime import datetime
from math import prod
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson
from pydantic import BaseModel

from service.arrays import TEXT, Array, text_array

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.~@:+-]{0,127}$"
"""The ids of clients and of examples."""
LONG_TEXT = 2000
"""Characters of a text that count as long."""


class Form(BaseModel):
    """The form of all inputs of a version: a dtype of numpy, or `text`, and the shape of one input."""

    dtype: str
    shape: list[int]

    def numbers(self) -> int:
        """The numbers of one input; for a text its length, as a bound."""
        return LONG_TEXT if self.dtype == "text" else prod(self.shape)

    def size(self) -> int:
        """The bytes of one input; of a text one for each character, as a bound."""
        return self.numbers() * (1 if self.dtype == "text" else np.dtype(self.dtype).itemsize)


class Example(NamedTuple):
    """An example without its label. `digest` is that of its input, `raw`; `row` is None until it is stored."""

    id: str
    created_at: datetime
    digest: str
    raw: bytes
    row: int | None = None


class Entry(msgspec.Struct, frozen=True):
    """What is stored of an example beside its input. `size` is the bytes of that.

    Pydantic takes five times as long, and an adapt reads and writes thousands.
    """

    row: int
    id: str
    created_at: datetime
    input: str
    size: int = 0


def digest(value: bytes) -> str:
    """16 hexadecimal digits of BLAKE2b. They detect accidents, not forgery."""
    return hashlib.blake2b(value, digest_size=8).hexdigest()


def content_id(input_digest: str, label: Any) -> str:
    """The id of an example that came without one: a digest of its input and its label."""
    return digest(input_digest.encode() + orjson.dumps(label))


def free_id(name: str, taken: Container[str]) -> str:
    """The id, with a number behind it if it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def form_of(inputs: Array) -> Form:
    """The form of inputs (n, *input)."""
    if inputs.dtype == TEXT:
        return Form(dtype="text", shape=[])
    return Form(dtype=inputs.dtype.name, shape=list(inputs.shape[1:]))


def to_raw(inputs: Array) -> list[bytes]:
    """The bytes of each of the inputs (n, *input)."""
    if inputs.dtype == TEXT:
        return [text.encode() for text in inputs.tolist()]
    return [np.ascontiguousarray(one).tobytes() for one in inputs]


def from_raw(raw: Sequence[bytes], form: Form) -> Array:
    """The inputs (n, *input) of their bytes. Raises ValueError."""
    if form.dtype == "text":
        return text_array([one.decode() for one in raw])
    return np.frombuffer(b"".join(raw), np.dtype(form.dtype)).reshape(len(raw), *form.shape)


def ranges(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Rows as ranges of which both ends count, in the same order."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][1] == row - 1:
            found[-1] = (found[-1][0], row)
        else:
            found.append((row, row))
    return found
