"""The commands of a page, with the answers that it shows."""

import json
import re
from typing import Any, NamedTuple

BLOCK = re.compile(r"^```\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "..."
"""Stands on a page for what is left out."""


class Shown(NamedTuple):
    """A command, and what it prints."""

    command: str
    output: str


def commands(page: str) -> list[Shown]:
    """The lines of a page that begin with `$`, with what is shown below each."""
    return [shown for block in BLOCK.findall(page) for shown in session(block)]


def session(block: str) -> list[Shown]:
    """The commands of one block."""
    return [_shown(part) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def _shown(part: str) -> Shown:
    """A command goes on after a backslash and within quotes."""
    lines = part.splitlines(keepends=True)
    end = next(i for i in range(1, len(lines) + 1) if _is_whole("".join(lines[:i])))
    return Shown("".join(lines[:end]).rstrip("\n"), "".join(lines[end:]))


def _is_whole(command: str) -> bool:
    return not command.endswith("\\\n") and command.count("'") % 2 == 0


def documents(text: str) -> list[Any]:
    """The JSON documents that follow each other in a text."""
    decoder, found, start = json.JSONDecoder(), [], 0
    while text[start:].strip():
        start += len(text[start:]) - len(text[start:].lstrip())
        document, start = decoder.raw_decode(text, start)
        found.append(document)
    return found


def differences(shown: Any, got: Any, path: str = "") -> list[str]:
    """Where an answer differs from what is shown. Numbers may differ by a thousandth, times may differ."""
    if shown in (LEFT_OUT, [LEFT_OUT]) or path.endswith(("timings_ms", "_at")):
        return []
    if isinstance(shown, dict) and isinstance(got, dict) and shown.keys() == got.keys():
        return [line for name in shown for line in differences(shown[name], got[name], f"{path}.{name}")]
    if isinstance(shown, list) and isinstance(got, list) and len(shown) == len(got):
        return [line for i, each in enumerate(shown) for line in differences(each, got[i], f"{path}[{i}]")]
    if isinstance(shown, float) and isinstance(got, (int, float)) and abs(shown - got) < 2e-3:
        return []
    return [] if shown == got else [f"{path}: {shown!r} is shown, but {got!r} is answered"]
