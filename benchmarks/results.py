"""The results of all benchmarks, docs/performance.json. benchmarks.report makes a page of it."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "docs" / "performance.json"


def read() -> dict[str, Any]:
    """All results so far."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def keep(**parts: Any) -> None:
    """Write these parts beside those of other benchmarks."""
    RESULTS.write_text(json.dumps(read() | parts, indent=1) + "\n")
