"""Write answers to CSV or JSON Lines, and go on where an earlier run has stopped."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import typer

from handful.commands.sources import Item
from handful.refusals import Answer

FIELDS = ("source", "label", "probability", "unknown", "value", "version")
CSV = {".csv", ".tsv"}


class Answers:
    """A file of answers, or standard output if there is no path.

    Attributes:
        done: The sources that an earlier run has answered.
        version: The version of the client that has answered them; None at the beginning.
    """

    def __init__(self, path: Path | None, *, restart: bool = False) -> None:
        self._path = path
        self._is_csv = path is not None and path.suffix.lower() in CSV
        self._delimiter = "\t" if path is not None and path.suffix.lower() == ".tsv" else ","
        self.done: set[str] = set()
        self.version: int | None = None
        if path is not None and path.exists() and not restart:
            self._read(path)
        elif path is not None:
            path.write_text(self._line(dict(zip(FIELDS, FIELDS, strict=True))) if self._is_csv else "")
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8", newline="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, found: Iterable[tuple[Item, Answer]], version: int | None) -> None:
        """Write answers, so that a later run skips them."""
        lines = [self._line({"source": item.source} | answer | {"version": version}) for item, answer in found]
        if self._file is None:
            typer.echo("".join(lines), nl=False)
        else:
            self._file.write("".join(lines))
            self._file.flush()

    def _line(self, row: dict[str, Any]) -> str:
        if not self._is_csv:
            return json.dumps(row, ensure_ascii=False) + "\n"
        if "labels" in row:  # of a client with several labels
            row = row | {"label": json.dumps(row["labels"], ensure_ascii=False)}
        line = io.StringIO()
        csv.writer(line, delimiter=self._delimiter, lineterminator="\n").writerow(row.get(name) for name in FIELDS)
        return line.getvalue()

    def _read(self, path: Path) -> None:
        """Read what is done. A last line without an end was cut off, and is removed."""
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        rows: list[dict[str, Any]]
        if self._is_csv:
            rows = list(csv.DictReader(io.StringIO(whole), delimiter=self._delimiter))
        else:
            rows = [json.loads(line) for line in whole.splitlines()]
        if not all(isinstance(row, dict) and "source" in row for row in rows):
            raise ValueError(f"{path} was not written by predict: choose another file, or --restart to replace it")
        self.done = {row["source"] for row in rows}
        self.version = int(rows[-1]["version"]) if rows and rows[-1].get("version") else None
