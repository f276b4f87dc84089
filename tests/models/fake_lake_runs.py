"""A small imitation of Lake's all_runs.zip."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

RUNS, CLASSES, SIDE = 20, 20, 105


def write_zip(path: Path, prefix: str = "") -> Path:
    """Write the runs as a zip, in a folder `prefix` of it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files().items():
            archive.writestr(prefix + name, content)
    return path


def files() -> dict[str, bytes]:
    """The files of all runs by name."""
    found: dict[str, bytes] = {}
    for run in range(1, RUNS + 1):
        folder, lines = f"run{run:02}", []
        for item in range(CLASSES):
            row = class_of(run, item)
            found[f"{folder}/training/class{item + 1:02}.png"] = bar(item)
            found[f"{folder}/test/item{item + 1:02}.png"] = bar(row)
            lines.append(f"{folder}/test/item{item + 1:02}.png {folder}/training/class{row + 1:02}.png")
        found[f"{folder}/class_labels.txt"] = "\n".join(lines).encode() + b"\n"
    return found


def class_of(run: int, item: int) -> int:
    """The class of a test drawing."""
    return (7 * item + run) % CLASSES


def bar(row: int) -> bytes:
    """A PNG of a bar. Each class has its row."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    ink[5 * row : 5 * row + 5] = 1
    file = io.BytesIO()
    Image.fromarray((1 - ink) * np.uint8(255)).convert("1").save(file, "PNG")
    return file.getvalue()
