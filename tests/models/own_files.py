"""Files of own data, and what is read of them."""

import json
from pathlib import Path

from models.datasets.own.columns import Columns
from models.datasets.own.data import collect
from models.datasets.own.examples import Own

NONE = Columns()


def jsonl(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own(path: Path, type: str = "text", columns: Columns = NONE, seed: int = 0) -> Own:
    return collect(path, type, columns, seed, lambda count: None)


def rows(classes: int, shots: int, **more: object) -> list[dict[str, object]]:
    return [{"text": f"text {c} {i}", "label": f"class {c}"} | more for c in range(classes) for i in range(shots)]
