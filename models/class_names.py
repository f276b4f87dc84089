"""The names of classes, for learners that learn from them."""

import re


def plain_words(label: str) -> str:
    """A label as words: `card_arrival`, `PlayMusic` and `a/b` become `card arrival`, `play music` and `a b`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label)
    return " ".join(re.sub(r"[_/\-.:]+", " ", spaced).lower().split())
