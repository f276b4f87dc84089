"""The audit log: who did what to which client, when. It holds no inputs, no labels and no keys."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Any

STDOUT = "stdout"


class AuditLog:
    """Writes one line of JSON for each act. A file that was moved away, as for a rotation, is opened again.

    Args:
        target: The path of the file, or `stdout`.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, target: str) -> None:
        self._handler: logging.Handler = logging.StreamHandler(sys.stdout) if target == STDOUT else _file(target)
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, call: str, **fields: Any) -> None:
        """Write a line, in one step, so that processes can share a file. Fields that are None are left out."""
        known = {name: value for name, value in fields.items() if value is not None}
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "call": call, **known}
        self._handler.handle(logging.makeLogRecord({"msg": json.dumps(line), "levelno": logging.INFO}))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def _file(path: str) -> logging.Handler:
    """A file that only its user can read."""
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return WatchedFileHandler(path, encoding="utf-8")
