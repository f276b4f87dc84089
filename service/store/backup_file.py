"""The file of a backup: its head, then groups of stored values, each with its length, then a digest of all."""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

HEAD = b"handful backup 1\n"
LENGTH = struct.Struct("<Q")


class Value(msgspec.Struct, array_like=True):
    """A stored value: its key, what DUMP says of it, and when it expires, in milliseconds since 1970."""

    key: bytes
    dump: bytes
    expires_ms: int | None


DECODER = msgspec.msgpack.Decoder(list[Value])


class Writer:
    """Writes groups of values. The file is complete only after `end`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self._put(HEAD)

    def write(self, group: list[Value]) -> None:
        """Append a group."""
        body = msgspec.msgpack.encode(group)
        self._put(LENGTH.pack(len(body)))
        self._put(body)

    def end(self) -> None:
        """Append the end and the digest."""
        self._put(LENGTH.pack(0))
        self._file.write(self._digest.digest())

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def check(path: Path) -> None:
    """Read the whole file. Raises ValueError if it is not a backup, or not whole."""
    digest, size = hashlib.sha256(), path.stat().st_size - hashlib.sha256().digest_size
    with path.open("rb") as file:
        if file.read(len(HEAD)) != HEAD:
            raise ValueError(f"{path} is not a backup of this version of Handful")
        file.seek(0)
        while size > 0 and (part := file.read(min(size, 2**20))):
            digest.update(part)
            size -= len(part)
        if file.read() != digest.digest():
            raise ValueError(f"{path} is damaged, or was not written to its end")


def groups(path: Path) -> Iterator[list[Value]]:
    """The groups of a file that was checked."""
    with path.open("rb") as file:
        file.seek(len(HEAD))
        while length := LENGTH.unpack(file.read(LENGTH.size))[0]:
            yield DECODER.decode(file.read(length))
