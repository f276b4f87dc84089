"""Files that the tests upload."""

import base64
import io
import zipfile
from collections.abc import Iterable, Mapping

from tests.service.drawings import png

CSV = {"content-type": "text/csv"}
ZIP = {"content-type": "application/zip"}

File = tuple[str, tuple[str | None, bytes | str]]


def drawing(letter: str, shift: int = 0) -> bytes:
    """A PNG file of a letter."""
    return base64.b64decode(png(letter, shift))


def files(names: Iterable[str], shots: int = 2) -> list[File]:
    """The fields of a form: files of letters, each under its letter."""
    return [(name, (f"{name}{shift}.png", drawing(name, shift))) for name in names for shift in range(shots)]


def field(name: str, text: str) -> File:
    """A text field of a form."""
    return name, (None, text)


def packed(members: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def folders(names: Iterable[str], around: str = "", shots: int = 2) -> dict[str, bytes | str]:
    """A folder of letters for each class."""
    return {f"{around}{name}/{shift}.png": drawing(name, shift) for name in names for shift in range(shots)}
