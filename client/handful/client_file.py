"""Split the file of a client, as `Handful.export` writes it, into smaller files of some of its examples.

The file is safetensors: eight bytes with the length of a JSON header, the header, and the tensors. docs/clients.md
describes the header. A part has the examples of a range, and a digest of its own.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

PLAIN = ("client_id", "model")
"""Fields of the metadata that are texts; all others are JSON."""
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
}  # fmt: skip
"""Names of dtypes in the digest, by their names in the file."""


class Tensor(NamedTuple):
    """A tensor of the file. The first axis of `shape` is over the examples, except for the bytes of texts."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    def part(self, start: int, end: int) -> "Tensor":
        """The entries from `start` to `end` of the first axis."""
        size = len(self.data) // max(1, self.shape[0])
        return Tensor(self.dtype, (end - start, *self.shape[1:]), self.data[start * size : end * size])


def parts(whole: bytes, limit: int) -> Iterator[bytes]:
    """The file, or files of some of its examples each if it is larger than `limit` bytes. Raises ValueError."""
    if len(whole) <= limit:
        yield whole
        return
    fields, tensors = _read(whole)
    examples = len(fields["ids"])
    count = max(1, examples * limit // len(whole))
    for start in range(0, examples, count):
        yield _part(fields, tensors, start, min(start + count, examples))


def _read(whole: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    size = int.from_bytes(whole[:8], "little")
    data = memoryview(whole)[8 + size :]
    try:
        header = json.loads(whole[8 : 8 + size])
        texts = header.pop("__metadata__")
        fields = {name: text if name in PLAIN else orjson.loads(text) for name, text in texts.items()}
        tensors = {
            name: Tensor(each["dtype"], tuple(each["shape"]), data[slice(*each["data_offsets"])])
            for name, each in header.items()
        }
        return fields | {name: fields[name] for name in ("ids", "times")}, tensors
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is not the file of a client, as handful client export writes it: {error!r}") from None


def _part(fields: Mapping[str, Any], tensors: Mapping[str, Tensor], start: int, end: int) -> bytes:
    fewer = {name: value for name, value in fields.items() if name != "digest"}
    fewer |= {name: fields[name][start:end] for name in ("ids", "times")}
    chosen = {name: tensor.part(start, end) for name, tensor in tensors.items()}
    if "lengths" in tensors:
        ends = [0, *itertools.accumulate(tensors["lengths"].data.cast("q"))]
        chosen["inputs"] = tensors["inputs"].part(ends[start], ends[end])
    return _written(fewer | {"digest": _digest(fewer, chosen)}, chosen)


def _written(fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    texts = {name: value if name in PLAIN else orjson.dumps(value).decode() for name, value in fields.items()}
    header: dict[str, Any] = {"__metadata__": texts}
    offset = 0
    for name, tensor in tensors.items():
        offsets = [offset, offset := offset + len(tensor.data)]
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}
    head = orjson.dumps(header)
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *(tensor.data for tensor in tensors.values())])


def _digest(fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2b over the metadata and the tensors, as the service computes it."""
    whole = hashlib.blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {DTYPES[tensor.dtype]} {tensor.shape}".encode())
        whole.update(tensor.data)
    return whole.hexdigest()
