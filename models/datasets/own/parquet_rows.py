"""Parquet files, read by pyarrow in batches."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

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
                    yield Record(f"row {number}", {name: _plain(value) for name, value in values.items()})
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet, after row {number}: {error}") from error


def _plain(value: Any) -> Any:
    """Decimal numbers as numbers, durations in seconds, and dates and times as texts in ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value
