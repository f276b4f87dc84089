"""Where episodes come from."""

from pathlib import Path

from models.tasks import omniglot
from models.tasks.episode import Tasks
from models.tasks.sinusoid import Sinusoid

SPLITS = (*omniglot.SPLITS, "sinusoid")


def open_tasks(split: str, data: Path | None, *, within: bool = False, augment: bool = False) -> Tasks:
    """The episodes of a split; all but the sinusoid, which is made, are read from `data`.

    Raises ValueError when the split is unknown or its data is not given.
    """
    if split == "sinusoid":
        return Sinusoid()
    if split not in SPLITS:
        raise ValueError(f"no split is called {split!r}: there are {', '.join(SPLITS)}")
    if data is None:
        raise ValueError(
            f"{split} is read from Omniglot: give --data omniglot.npz, or the folder of the official files"
        )
    return omniglot.tasks(data, split, within=within, augment=augment)
