"""Marks the tests that `make test-fast` leaves out."""

from pathlib import Path

import pytest

SERVERS = {"served", "redis", "redis_url", "nodes", "worker", "server", "zoo"}
"""Fixtures that start a server or build many models."""
SLOW = (
    "client", "e2e", "browser", "chaos", "deploy", "service/api", "service/store", "service/process",
    "service/commands", "models",
)  # fmt: skip
SLOW_FILES = {"test_compile.py", "test_two_queues.py"}
QUICK = (
    "calibration checkpoint cosine evaluation gnn logistic matching omniglot protonet recipes recurrent registry "
    "relation ridge"
)
"""Files `test_NAME.py` in slow folders that are quick."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts servers, compiles or trains."""
    for item in items:
        if is_slow(item.path, set(getattr(item, "fixturenames", ()))):
            item.add_marker(pytest.mark.slow)


def is_slow(path: Path, fixtures: set[str]) -> bool:
    """Whether a test starts a server, or is in a folder of slow tests."""
    folder = path.parent.relative_to(Path(__file__).parent).as_posix()
    slow = path.name in SLOW_FILES or (folder.startswith(SLOW) and path.stem.removeprefix("test_") not in QUICK.split())
    return slow or bool(fixtures & SERVERS)
