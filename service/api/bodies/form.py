"""Parse `multipart/form-data` (RFC 7578): files and text fields, each under a label."""

from typing import Any, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.api.bodies.upload import Item, Upload
from service.errors import BadRequest, Unprocessable
from service.inputs.limits import check_count
from service.inputs.sent import Part

CHUNK = 2**20
"""Bytes that are parsed at a time."""
BOUNDARY_BYTES = 200
"""RFC 2046 allows 70."""
PLAIN = ("", "7bit", "8bit", "binary")
"""Transfer encodings that change nothing."""


def parse(upload: Upload) -> list[Item]:
    """The parts of a form. The name of a field is the label. Raises BadRequest, Unprocessable."""
    boundary = boundary_of(upload.content_type)
    check_count(upload.body.count(b"--" + boundary) - 1, upload.limit, upload.field)  # the last one ends the body
    found = _Parts()
    parser = MultipartParser(boundary, found.callbacks())  # limits the headers of a part
    try:
        for start in range(0, len(upload.body), CHUNK):  # a second copy of the whole body is never made
            parser.write(bytes(upload.body[start : start + CHUNK]))
        parser.finalize()
    except FormParserError as error:
        raise BadRequest(f"The body is not multipart/form-data: {error}.") from None
    if not found.complete:
        raise BadRequest("The body is not multipart/form-data: its last boundary is missing.")
    kept = [part for part in found.parts if part.content or part.filename != ""]  # an empty file input of a page
    return [Item(Part(part.content, _place(i, part)), part.name) for i, part in enumerate(kept)]


def boundary_of(content_type: str) -> bytes:
    """The boundary between the parts. Raises BadRequest."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= BOUNDARY_BYTES:
        raise BadRequest(f"Content-Type: multipart/form-data needs a boundary of 1 to {BOUNDARY_BYTES} bytes.")
    return boundary


class _Part(NamedTuple):
    name: str
    filename: str | None
    content: bytes


class _Parts:
    """Collects the parts that a parser finds. `complete` says whether it found the last boundary."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._pieces: list[bytes] = []

    def callbacks(self) -> Any:
        """The functions that the parser calls."""
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self) -> None:
        self._headers, self._pieces = {}, []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _part_end(self) -> None:
        self.parts.append(_part(len(self.parts), self._headers, b"".join(self._pieces)))

    def _end(self) -> None:
        self.complete = True


def _part(number: int, headers: dict[bytes, bytes], content: bytes) -> _Part:
    where = f"part {number + 1}"
    encoding = headers.get(b"content-transfer-encoding", b"").decode("latin-1").strip().lower()
    if encoding not in PLAIN:
        raise Unprocessable(f"{where}: send it without the transfer encoding {encoding[:40]}.", field=where)
    disposition, options = parse_options_header(headers.get(b"content-disposition", b"").decode("latin-1"))
    if disposition != b"form-data" or b"name" not in options:
        raise Unprocessable(f"{where}: it has no name. Each part needs `form-data` with a `name`.", field=where)
    filename = options.get(b"filename")
    return _Part(_named(options[b"name"], where), None if filename is None else _named(filename, where), content)


def _named(encoded: bytes, where: str) -> str:
    """A name, which is UTF-8. Browsers and curl write a quote as %22."""
    try:
        return encoded.decode().replace("%22", '"')
    except UnicodeDecodeError:
        raise Unprocessable(f"{where}: its name is not UTF-8.", field=where) from None


def _place(number: int, part: _Part) -> str:
    """The number of the part, its name and its file."""
    file = f", {part.filename[:80]}" if part.filename else ""
    return f"part {number + 1} ({part.name[:80]}{file})"
