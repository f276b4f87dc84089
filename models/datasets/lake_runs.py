"""The one-shot test of Lake et al. 2015: 20 fixed runs of 20 trials, on which people and programs were measured."""

import re
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.datasets.characters import read_png
from models.datasets.episode import FixedEpisodes, Shape
from models.learner import Episode, Support

RUNS = 20
SHAPE = Shape(20, 1, 1)
FILE = re.compile(r"(?:^|/)(run\d\d/(?:(?:training|test)/[^/]+\.png|class_labels\.txt))$")


def load_runs(path: Path, size: int) -> FixedEpisodes:
    """Read the runs, their drawings shrunk to `size` x `size`.

    Args:
        path: `all_runs.zip`, or a folder with its contents: `run01` to `run20`, each with `training/`, `test/` and
            `class_labels.txt`.
        size: Pixels of each side.

    Raises:
        FileNotFoundError: A run or one of its files is missing.
    """
    files = _from_zip(path) if path.is_file() else _from_folder(path)
    try:
        return FixedEpisodes([_episode(files, f"run{run:02}", size) for run in range(1, RUNS + 1)])
    except KeyError as error:
        raise FileNotFoundError(f"{path} lacks {error.args[0]}: give all_runs.zip, or a folder with its runs") from None


def _from_zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {found[1]: archive.read(name) for name in archive.namelist() if (found := FILE.search(name))}


def _from_folder(path: Path) -> dict[str, bytes]:
    names = ((file, FILE.search(file.as_posix())) for file in path.rglob("run*/**/*") if file.is_file())
    return {found[1]: file.read_bytes() for file, found in names if found}


def _episode(files: dict[str, bytes], run: str, size: int) -> Episode:
    """One run. Each line of its labels names a test drawing and the training drawing of the same character."""
    pairs = [line.split() for line in files[f"{run}/class_labels.txt"].decode().splitlines() if line.strip()]
    classes = sorted({training for _, training in pairs})
    inputs, queries = _drawings(files, classes, size), _drawings(files, [test for test, _ in pairs], size)
    targets = torch.tensor([classes.index(training) for _, training in pairs])
    support = Support(inputs, torch.arange(len(classes)), torch.ones(len(classes), dtype=torch.bool), len(classes))
    return Episode(support, queries, targets)


def _drawings(files: dict[str, bytes], names: list[str], size: int) -> Tensor:
    return torch.from_numpy(np.stack([read_png(files[name], size) for name in names])).unsqueeze(1)
