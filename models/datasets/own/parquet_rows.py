"""Parquet files, read by pyarrow in batches."""

from collections.abc import Iterator
from pathlib import Path

from models.datasets.own.records import Record, Rejects

BATCH_ROWS = 4096


def read(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The rows of a Parquet file. Raises ValueError for a file that is none, or is damaged."""
    import pyarrow as pa  # noqa: PLC0415 (only own data needs it)
    import pyarrow.parquet  # noqa: PLC0415

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", values)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet, after row {number}: {error}") from error
