"""Where the real data is, if it is there: HANDFUL_DATA (a file, or the folder of the files), or `../shared/data`."""

import os
from pathlib import Path

import pytest


def find(name: str) -> Path | None:
    """The file of this name; None if it is not there."""
    given = os.environ.get("HANDFUL_DATA")
    folders = [Path(given)] if given else [Path(__file__).parents[2] / "shared" / "data"]
    candidates = [path if path.name == name else path / name for path in folders]
    return next((path for path in candidates if path.is_file()), None)


OMNIGLOT = find("omniglot.npz")
CLINC150 = find("clinc150.jsonl")
needs_omniglot = pytest.mark.skipif(
    OMNIGLOT is None,
    reason="needs omniglot.npz: set HANDFUL_DATA to its path (models and service are proven without it)",
)
