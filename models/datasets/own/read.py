"""Read a file of any format that is known, by the end of its name."""

from collections.abc import Callable, Iterator
from pathlib import Path

from models.datasets.own import class_folders, csv_rows, json_lines, parquet_rows
from models.datasets.own.records import Record, Rejects

Reader = Callable[[Path, Rejects], Iterator[Record]]
READERS: dict[str, Reader] = {
    ".csv": csv_rows.read,
    ".tsv": csv_rows.read,
    ".json": json_lines.read,
    ".jsonl": json_lines.read,
    ".ndjson": json_lines.read,
    ".parquet": parquet_rows.read,
    ".zip": class_folders.read_zip,
}
"""Readers by the end of a name."""
FORMATS = "CSV, JSON Lines (.jsonl), Parquet, a folder with a folder for each class, or a zip of it"


def records(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The records of a file or folder. Raises ValueError when it is of no known format, or cannot be read."""
    if path.is_dir():
        return class_folders.read_folder(path, rejects)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is of no known format: give {FORMATS}")
    return reader(path, rejects)
