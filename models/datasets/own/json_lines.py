"""JSON Lines: an object a line. Each bad line is reported, and the others are read. Also a JSON array of objects."""

import json
from collections.abc import Iterator
from pathlib import Path

from models.datasets.own.records import Record, Rejects

ARRAY_BYTES = 2**28
"""Largest array, which is read as a whole."""
LINE_BYTES = 2**24
"""Longest line."""


def read(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The objects of a file of JSON Lines, or of one JSON array, in UTF-8.

    Raises:
        ValueError: The file is a JSON array that is too large, or not JSON.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES):
            number += 1
            if number == 1 and line.lstrip().startswith(b"["):
                yield from _array(path, rejects)
                return
            if record := _record(number, line, rejects):
                yield record


def _array(path: Path, rejects: Rejects) -> Iterator[Record]:
    if path.stat().st_size > ARRAY_BYTES:
        raise ValueError(f"{path} is a JSON array of over {ARRAY_BYTES} bytes: write one object a line (JSON Lines)")
    try:
        items = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is a JSON array that cannot be read: {error}") from error
    for number, values in enumerate(items, 1):
        if isinstance(values, dict):
            yield Record(f"item {number}", values)
        else:
            rejects.add(f"item {number}", "not a JSON object")


def _record(number: int, line: bytes, rejects: Rejects) -> Record | None:
    place = f"line {number}"
    if not line.strip():
        return None
    try:
        values = json.loads(line)
    except UnicodeDecodeError:
        rejects.add(place, "not UTF-8")
    except (ValueError, RecursionError):
        rejects.add(place, "not JSON")
    else:
        if isinstance(values, dict):
            return Record(place, values)
        rejects.add(place, "not a JSON object")
    return None
