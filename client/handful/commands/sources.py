"""Inputs from files: folders, zips, CSV, JSON Lines, photos and text files. Nothing is unpacked to disk."""

import itertools
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from handful.commands.tables import TABLES, rows_of, value_of
from handful.inputs import IMAGE_SUFFIXES

LABELS = ("label", "class", "category", "target", "intent", "queue", "tag", "topic")
"""Columns that are recognised as labels, in any case."""
FILES = IMAGE_SUFFIXES | {".txt"}
FILE_BYTES = 2**25
"""Largest file that is read."""


class UnreadableError(ValueError):
    """A text file that is not UTF-8. The message names it."""


class Item(NamedTuple):
    """An input and where it comes from: a path, or the path of a table and the number of the row."""

    source: str
    input: Any
    label: Any = None


class Form(NamedTuple):
    """How a row becomes an input: the kind of input of a model, whether it is a regression, and the columns."""

    kind: str
    regression: bool = False
    columns: tuple[str, ...] = ()
    label: str | None = None

    @classmethod
    def of(cls, card: dict[str, Any], columns: str | None, label: str | None) -> "Form":
        """That of a model, by its card, and of the options --columns and --label."""
        names = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
        return cls(card["input"]["type"], card["kind"] == "regression", names, label)


def labelled(path: Path, form: Form) -> Iterator[Item]:
    """The examples of a folder of class folders, a zip of one, or a table. Raises ValueError."""
    if path.is_dir():
        named = [(each.relative_to(path).as_posix(), each) for each in files_of(path)]
        yield from _classes(named, str(path))
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path)
    else:
        yield from _rows(path, form, labelled=True)


def unlabelled(paths: Iterable[Path], form: Form) -> Iterator[Item]:
    """The inputs of files, of folders, of zips and of the rows of tables. Raises ValueError."""
    for path in paths:
        if path.is_dir():
            yield from (Item(str(each), each) for each in files_of(path))
        elif path.suffix.lower() == ".zip":
            yield from (each._replace(label=None) for each in _members(path))
        elif path.suffix.lower() in TABLES:
            yield from _rows(path, form, labelled=False)
        else:
            yield Item(str(path), path)


def files_of(folder: Path) -> list[Path]:
    """The photos and text files of a folder and its folders."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in FILES and path.is_file())


def content_of(path: Path) -> Path | str:
    """The text of a text file; the path of a photo, which is read when it is sent. Raises UnreadableError, OSError."""
    return _text(path.read_bytes(), str(path)) if path.suffix.lower() == ".txt" else path


def _text(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError(f"{place}: is not UTF-8. Save it as UTF-8") from None


def _classes(named: Iterable[tuple[str, Path]], where: str) -> Iterator[Item]:
    found = [Item(str(path), content_of(path), PurePosixPath(name).parent.name) for name, path in named]
    if not found or not all(item.label for item in found):
        raise ValueError(f"{where}: needs a folder for each class, with photos or .txt files in it")
    yield from found


def _zipped(path: Path) -> Iterator[Item]:
    found = list(_members(path))
    if not found or not all(item.label for item in found):
        raise ValueError(f"{path}: needs a folder for each class, with photos or .txt files in it")
    yield from found


def _members(path: Path) -> Iterator[Item]:
    """The files of a zip, with the names of their folders as labels. Raises ValueError."""
    try:
        with zipfile.ZipFile(path) as packed:
            for member in sorted(packed.namelist()):
                name = PurePosixPath(member)
                if name.suffix.lower() not in FILES or name.parts[0] == "__MACOSX":
                    continue
                with packed.open(member) as file:
                    data = file.read(FILE_BYTES + 1)
                if len(data) > FILE_BYTES:
                    raise ValueError(f"{path}: {member} has more than {FILE_BYTES} bytes")
                source = f"{path}/{member}"
                content = _text(data, source) if name.suffix.lower() == ".txt" else data
                yield Item(source, content, name.parent.name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path}: cannot be unpacked: {error}") from None


def _rows(path: Path, form: Form, *, labelled: bool) -> Iterator[Item]:
    """The rows of a table. A row that is JSON Lines may have `input` and `label`."""
    if path.suffix.lower() not in TABLES:
        raise ValueError(f"{path}: give a folder of class folders, a zip of one, CSV, TSV or JSON Lines (.jsonl)")
    rows = rows_of(path)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{path}: there are no rows")
    label = _label_column(list(first), form.label, path, needed=labelled)
    missing = {*form.columns} - {*first}
    if missing:
        raise ValueError(f"{path}: has no column {', '.join(sorted(missing))}; it has {', '.join(first)}")
    for number, row in enumerate(itertools.chain([first], rows), 1):
        source = f"{path}:{number}"
        yield Item(source, _input(row, label, form, path, source), _label(row, label, form))


def _label_column(names: list[str], given: str | None, path: Path, *, needed: bool) -> str | None:
    known = {name.lower(): name for name in names}
    found = next((known[name] for name in LABELS if name in known), None) if given is None else given
    if found is not None and found not in names:
        raise ValueError(f"{path}: has no column {found}; it has {', '.join(names)}")
    if found is None and needed:
        raise ValueError(f"{path}: name the column of the labels with --label; it has {', '.join(names)}")
    return found


def _input(row: dict[str, Any], label: str | None, form: Form, path: Path, source: str) -> Any:
    """The input of a row, as the model takes it. Raises ValueError for a row that has none."""
    names = form.columns or [name for name in row if name != label]
    values = {name: row[name] for name in names if name in row}
    if not values:
        raise ValueError(f"{source}: has no input, only {', '.join(row) or 'nothing'}")
    if list(values) == ["input"] and not isinstance(values["input"], str):
        return values["input"]
    if form.kind == "table":
        return {name: value_of(value) for name, value in values.items()}
    if form.kind == "vector":
        return [value_of(value) for value in values.values()]
    if len(values) > 1:
        return {name: "" if value is None else str(value) for name, value in values.items()}
    (value,) = values.values()
    return path.parent / value if Path(str(value)[-8:]).suffix.lower() in IMAGE_SUFFIXES else value


def _label(row: dict[str, Any], label: str | None, form: Form) -> Any:
    value = row.get(label) if label is not None else None
    return value_of(value) if form.regression else value
