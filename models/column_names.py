"""What columns of a table hold, as far as their names say. Needs no torch, so that the API can use it."""

from collections.abc import Sequence

HEADINGS = ("title", "subject", "headline")
BODIES = ("text", "body", "message", "sentence", "utterance", "question", "content", "description", "review", "comment")
"""A heading is put before a body."""
LABELS = ("label", "class", "category", "target", "intent", "queue", "tag", "topic")


def first(known: Sequence[str], names: Sequence[str]) -> str | None:
    """The first known name that is there, in any case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def texts(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of texts: a heading and a body."""
    return tuple(filter(None, (first(HEADINGS, names), first(BODIES, names))))
