"""A folder with a folder for each class, or a zip of it: photos and text files. Nothing is unpacked to disk."""

import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from models.datasets.own.records import Record, Rejects
from models.datasets.own.splits import NAMES

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
TEXTS = (".txt",)
FILE_BYTES = 2**25
"""Largest file."""
BOMB_BYTES, BOMB_RATIO = 2**30, 100
"""A zip of more bytes than this is refused if packing has divided its size by more than this."""
ZIP_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError)
"""What is raised for damaged, encrypted and unknown members."""


class File(Protocol):
    """A file that is read when it is needed."""

    def read(self) -> bytes:
        """Its bytes. Raises ValueError when it is too large or cannot be read."""
        ...


class LocalFile(NamedTuple):
    """A file on disk."""

    path: Path

    def read(self) -> bytes:
        """Its bytes. Raises ValueError."""
        try:
            with self.path.open("rb") as file:
                return _within_limit(file.read(FILE_BYTES + 1))
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from error


class ZipMember(NamedTuple):
    """A file in a zip."""

    zip: Path
    name: str

    def read(self) -> bytes:
        """Its bytes. Raises ValueError."""
        try:
            with _opened(self.zip).open(self.name) as file:
                return _within_limit(file.read(FILE_BYTES + 1))
        except ZIP_ERRORS as error:
            raise ValueError(f"cannot be unpacked: {error}") from error


def read_folder(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The photos and text files of a folder, with their class and, in train/, val/ and test/, their split. A folder
    around all others does not count.
    """
    names = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        names += [PurePosixPath(Path(folder, file).relative_to(path).as_posix()) for file in sorted(files)]
    return _records([(name, LocalFile(path / name)) for name in names], rejects)


def read_zip(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The same for a zip.

    Raises:
        ValueError: The file is no zip, or unpacks to far more than it holds.
    """
    members = [each for each in _opened(path).infolist() if not each.is_dir()]
    total = sum(each.file_size for each in members)
    if total > max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size):
        raise ValueError(f"{path} unpacks to {total} bytes, over {BOMB_RATIO} times its size: it is not read")
    safe = []
    for each in members:
        name = PurePosixPath(each.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in each.filename:
            rejects.add(each.filename[:200], "a path that leads out of the zip")
        else:
            safe.append((name, ZipMember(path, each.filename)))
    return _records(safe, rejects)


def _records(files: Sequence[tuple[PurePosixPath, File]], rejects: Rejects) -> Iterator[Record]:
    """A record for each file in a folder of a class."""
    shown = _without_outer(files)
    split = all(name.parts[0].lower() in NAMES for name, _ in shown)
    for name, file in shown:
        folders = name.parts[1:-1] if split else name.parts[:-1]
        place, suffix = str(name), name.suffix.lower()
        if not folders:
            rejects.add(place, "in no folder of a class")
        elif suffix not in PHOTOS + TEXTS:
            rejects.add(place, "neither a photo nor a .txt file, by its name")
        else:
            where = {"split": name.parts[0]} if split else {}
            yield Record(place, {"label": folders[0], "text" if suffix in TEXTS else "image": file, **where})


def _without_outer(files: Sequence[tuple[PurePosixPath, File]]) -> list[tuple[PurePosixPath, File]]:
    """The files that are not hidden, without a folder around all others."""
    shown = [(name, file) for name, file in files if not _hidden(name)]
    if len({name.parts[0] for name, _ in shown}) == 1 and all(len(name.parts) > 2 for name, _ in shown):
        return [(PurePosixPath(*name.parts[1:]), file) for name, file in shown]
    return shown


def _hidden(name: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def _within_limit(content: bytes) -> bytes:
    if len(content) > FILE_BYTES:
        raise ValueError(f"over {FILE_BYTES} bytes, the limit of a file")
    return content


@lru_cache(maxsize=2)
def _opened(path: Path) -> zipfile.ZipFile:
    """A zip, opened once. Raises ValueError when it is none."""
    try:
        return zipfile.ZipFile(path)
    except ZIP_ERRORS as error:
        raise ValueError(f"{path} cannot be read as a zip: {error}") from error
