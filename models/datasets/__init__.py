"""Where episodes come from."""

from pathlib import Path
from typing import Any

from models.datasets import omniglot, splits
from models.datasets.episode import Tasks
from models.datasets.noise import NoisyLabels
from models.datasets.sinusoid import Sinusoid

SPLITS = (*splits.SPLITS, "sinusoid")


def open_tasks(split: str, data: Path | None, *, label_noise: float = 0.0, **drawing: Any) -> Tasks:
    """The episodes of a split; all but the sinusoid, which is made, are read from `data`.

    `label_noise`: the share of a support's examples with a wrong label. `drawing`: how episodes are drawn
    (`omniglot.tasks`). Raises ValueError when the split is unknown or its data is not given.
    """
    tasks = Sinusoid() if split == "sinusoid" else _drawn(split, data, drawing)
    return NoisyLabels(tasks, label_noise) if label_noise else tasks


def _drawn(split: str, data: Path | None, drawing: dict[str, Any]) -> Tasks:
    if split not in SPLITS:
        raise ValueError(f"no split is called {split!r}: there are {', '.join(SPLITS)}")
    if data is None:
        raise ValueError(
            f"{split} is read from Omniglot: give --data omniglot.npz, or the folder of the official files"
        )
    return omniglot.tasks(data, split, **drawing)
