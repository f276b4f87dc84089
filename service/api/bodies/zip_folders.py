"""Parse `application/zip`: a folder for each class. Nothing is written to disk.

All sizes are checked before unpacking. The unpacked files must fit into the limit of a body, so a zip bomb is refused
by what it declares. A member that unpacks to more than it declares is cut there and fails its checksum.
"""

import io
import zipfile
import zlib
from pathlib import PurePosixPath

from service.api.bodies.upload import Item, Upload
from service.errors import BadRequest, TooLarge, Unprocessable
from service.inputs.json_limits import Bytes
from service.inputs.limits import check_count
from service.inputs.sent import Part

ENTRIES = 4
"""Maximum entries of a zip for each input that is allowed: folders and hidden files count."""
SPARE_ENTRIES = 100
NAME_BYTES = 1024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others take memory that cannot be limited."""
ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError)
"""What is raised for damaged members."""
ENTRY = b"PK\x01\x02"
"""How each entry of the directory begins."""


def unpacked_bytes(body: Bytes, limit: int, max_bytes: int) -> int:
    """The declared size of all files. Raises BadRequest, TooLarge, Unprocessable."""
    size = sum(member.file_size for member in _members(_opened(body, limit)))
    if size > max_bytes:
        raise TooLarge(f"The zip unpacks to {size} bytes; the limit is {max_bytes}. Send fewer or smaller files.")
    return size


def parse(upload: Upload) -> list[Item]:
    """The files of a zip. The name of the folder is the label. Raises BadRequest, Unprocessable."""
    archive = _opened(upload.body, upload.limit)
    members = _members(archive)
    check_count(len(members), upload.limit, upload.field)
    skip = _around([PurePosixPath(member.filename) for member in members], labelled=upload.labelled)
    return [_item(archive, member, skip, labelled=upload.labelled) for member in members]


def _opened(body: Bytes, limit: int) -> zipfile.ZipFile:
    check_count(body.count(ENTRY), ENTRIES * limit + SPARE_ENTRIES, "entries of the zip")
    try:
        return zipfile.ZipFile(io.BytesIO(body))
    except ERRORS as error:
        raise BadRequest(f"The body is not a zip: {error}.") from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of a zip, but not hidden ones. Raises Unprocessable."""
    members = [each for each in archive.infolist() if not each.is_dir() and not _hidden(each.filename)]
    for each in members:
        _check(each, PurePosixPath(each.filename))
    return members


def _check(member: zipfile.ZipInfo, name: PurePosixPath) -> None:
    where, wrong = member.filename[:200], None
    if len(member.filename.encode("utf-8", "replace")) > NAME_BYTES:
        wrong = f"its name has over {NAME_BYTES} bytes"
    elif name.is_absolute() or ".." in name.parts or "\\" in member.filename:
        wrong = "its path leads out of the zip"
    elif member.flag_bits & 1:
        wrong = "it is encrypted"
    elif member.compress_type not in METHODS:
        wrong = "it is packed by another method than deflate"
    if wrong:
        raise Unprocessable(f"{where}: {wrong}.", field=where)


def _item(archive: zipfile.ZipFile, member: zipfile.ZipInfo, skip: int, *, labelled: bool) -> Item:
    name = PurePosixPath(member.filename)
    where, folders = str(name)[:200], name.parts[skip:-1]
    if labelled and not folders:
        raise Unprocessable(f"{where}: it is in no folder. The folder of a file is its label.", field=where)
    try:
        content = archive.read(member)
    except ERRORS as error:
        raise Unprocessable(f"{where}: it cannot be unpacked: {error}.", field=where) from None
    return Item(Part(content, where), folders[0] if folders else None)


def _around(names: list[PurePosixPath], *, labelled: bool) -> int:
    """1 if there is a folder around the folders of all classes, otherwise 0."""
    return int(labelled and len({name.parts[0] for name in names}) == 1 and all(len(name.parts) > 2 for name in names))


def _hidden(name: str) -> bool:
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in PurePosixPath(name).parts)
