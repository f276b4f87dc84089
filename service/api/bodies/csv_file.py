"""Parse `text/csv`: a row for each input. Columns are named by the query, or recognised by their names."""

import csv
import io
from collections.abc import Iterator, Sequence

from service.api.bodies.upload import Item, Upload
from service.errors import BadRequest, Unprocessable
from service.inputs.json_limits import VALUES
from service.inputs.limits import check_count
from service.inputs.sent import Row, cell_reader, label_column

DELIMITERS = ",;\t|"
COLUMNS = 1000
CELL = 2**20
"""Maximum characters of a cell."""


def parse(upload: Upload) -> list[Item]:
    """The rows of a CSV file in UTF-8 with a header. Columns without a name, such as the index that pandas writes, are
    left out. Raises BadRequest, Unprocessable."""
    text = _text(upload)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    check_count(header.count(delimiter), COLUMNS, "columns")
    check_count(text.count(delimiter), VALUES, "values")
    rows = _rows(text, delimiter)
    names = _names(next(rows, (1, []))[1])
    label, identity, texts = _columns(upload, names)
    items, read = [], cell_reader(delimiter)
    for line, cells in rows:
        _check_width(line, cells, names)
        values = {name: read(cell) for name, cell in zip(names, cells, strict=True) if name}
        found = None if label is None else values.pop(label)
        given = None if identity is None else values.pop(identity)
        row = Row({name: values[name] for name in texts} if texts else values, f"line {line}", bool(texts))
        items.append(Item(row, found, given))
        check_count(len(items), upload.limit, upload.field)
    return items


def _text(upload: Upload) -> str:
    """The file, with one character for each line break. Raises BadRequest."""
    try:
        return upload.body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise BadRequest("The body is not CSV in UTF-8. Save it as CSV in UTF-8.") from None


def _names(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise Unprocessable("header: the first line is empty. It names the columns.", field="header")
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise Unprocessable(f"header: two columns are called {twice[0][:80]!r}.", field="header")
    return names


def _columns(upload: Upload, names: list[str]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The columns of the label and the id, and those of the text, if the query names them. Raises Unprocessable."""
    texts = tuple(name.strip() for name in upload.columns.get("text", "").split(",") if name.strip())
    label, identity = upload.columns.get("label"), upload.columns.get("id")
    for option, name in (*(("text", name) for name in texts), ("label", label), ("id", identity)):
        if name is not None and name not in names:
            raise Unprocessable(
                f"{option}: there is no column {name[:80]!r}. The columns are {', '.join(names)[:200]}.", field=option
            )
    if upload.labelled and label is None:
        label = label_column(names)
        if label is None:
            raise Unprocessable(
                "label: no column is known to hold the labels. Name it in the query, as ?label=COLUMN. The columns are "
                f"{', '.join(names)[:200]}.",
                field="label",
            )
    _check_used_once((*texts, label, identity))
    return label, identity, texts


def _check_used_once(columns: Sequence[str | None]) -> None:
    """Refuse a column that is named for two things. Raises Unprocessable."""
    if twice := [name for name in columns if name is not None and columns.count(name) > 1]:
        raise Unprocessable(
            f"header: the column {twice[0][:80]!r} cannot be two of text, label and id. Name others in the query.",
            field="header",
        )


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line of each row, and its cells. Empty lines after the first do not count."""
    csv.field_size_limit(CELL)
    reader, line = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            if any(cells) or line == 1:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unprocessable(f"line {line}: not CSV: {error}.", field=f"line {line}") from None


def _check_width(line: int, cells: list[str], names: list[str]) -> None:
    if len(cells) != len(names):
        hint = " A quote may not be closed." if any("\n" in cell for cell in cells) else ""
        raise Unprocessable(f"line {line}: {len(cells)} values for {len(names)} columns.{hint}", field=f"line {line}")
