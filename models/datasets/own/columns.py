"""Which columns of a table hold what: named by the user, or recognised by their names."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from models.column_names import LABELS, first, texts

FILES = ("image", "photo", "file", "path", "filename", "image_path")
TASK, SPLIT = "task", "split"


class Columns(NamedTuple):
    """The columns of a file. None or empty: not given, or there is none."""

    text: tuple[str, ...] = ()
    """Joined line by line."""
    image: str | None = None
    """Paths of image files, relative to the file."""
    label: str | None = None
    task: str | None = None
    split: str | None = None
    regression: bool | None = None
    """Whether labels are numbers to predict, not classes. None: recognised, or classes."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Columns":
        """From the JSON of a card."""
        return cls(**{**values, "text": tuple(values.get("text", ()))})

    def command(self) -> str:
        """As options of the command line."""
        given = {
            "text": ",".join(self.text),
            "image": self.image,
            "label": self.label,
            "task": self.task,
            "split-column": self.split,
        }
        kind = {True: ["--regression"], False: ["--classes"], None: []}[self.regression]
        return " ".join([*(f"--{name} {shlex.quote(value)}" for name, value in given.items() if value), *kind])


def found(given: Columns, names: Sequence[str], where: str) -> Columns:
    """The columns among `names`: those given, and the others as far as their names say.

    Raises:
        ValueError: A given column is not there, or no column can be recognised as the label.
    """
    for name in (*given.text, given.image, given.label, given.task, given.split):
        if name is not None and name not in names:
            raise ValueError(f"{where} has no column {name!r}; its columns are {_listed(names)}")
    label = given.label or first(LABELS, names)
    if label is None:
        raise ValueError(f"{where}: no column is called {', '.join(LABELS)}. Name it with --label; {_there(names)}")
    others = [name for name in names if name != label]
    text = given.text or texts(others)
    return Columns(
        text=text,
        image=given.image or (None if text else first(FILES, others)),
        label=label,
        task=given.task or first((TASK,), others),
        split=given.split or first((SPLIT,), others),
        regression=given.regression,
    )


def _there(names: Sequence[str]) -> str:
    return f"the columns are {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (" and others" if len(names) > 20 else "")
