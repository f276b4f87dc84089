"""Which columns of a table hold what: named by the user, or recognised by their names."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

HEADINGS = ("title", "subject", "headline")
BODIES = ("text", "body", "message", "sentence", "utterance", "question", "content", "description", "review", "comment")
"""A heading is put before a body."""
FILES = ("image", "photo", "file", "path", "filename", "image_path")
LABELS = ("label", "class", "category", "target", "intent", "queue", "tag", "topic")
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
        return " ".join(f"--{name} {shlex.quote(value)}" for name, value in given.items() if value)


def found(given: Columns, names: Sequence[str], where: str) -> Columns:
    """The columns among `names`: those given, and the others as far as their names say.

    Raises:
        ValueError: A given column is not there, or no column can be recognised as the label.
    """
    for name in (*given.text, given.image, given.label, given.task, given.split):
        if name is not None and name not in names:
            raise ValueError(f"{where} has no column {name!r}; its columns are {_listed(names)}")
    label = given.label or _first(LABELS, names)
    if label is None:
        raise ValueError(f"{where}: no column is called {', '.join(LABELS)}. Name it with --label; {_there(names)}")
    others = [name for name in names if name != label]
    text = given.text or tuple(filter(None, (_first(HEADINGS, others), _first(BODIES, others))))
    return Columns(
        text=text,
        image=given.image or (None if text else _first(FILES, others)),
        label=label,
        task=given.task or _first((TASK,), others),
        split=given.split or _first((SPLIT,), others),
    )


def _first(known: Sequence[str], names: Sequence[str]) -> str | None:
    """The first known name that is there, in any case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _there(names: Sequence[str]) -> str:
    return f"the columns are {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (" and others" if len(names) > 20 else "")
