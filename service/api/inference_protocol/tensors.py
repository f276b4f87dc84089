"""Tensors of the protocol: from requests to inputs, and from answers to tensors."""

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np

from service.api.inference_protocol.schemas import TensorSent
from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.limits import check_count
from service.inputs.sent import Part

BYTES = "BYTES"
TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Numpy's types by the protocol's."""
LENGTH = struct.Struct("<I")
"""What is before each element of BYTES."""


class Tensor(NamedTuple):
    """An output: its elements in the order of rows, as JSON values or as bytes."""

    datatype: str
    shape: list[int]
    elements: list[Any]

    def binary(self) -> bytes:
        """The elements as bytes."""
        if self.datatype != BYTES:
            return np.array(self.elements, TYPES[self.datatype]).tobytes()
        encoded = [element.encode() for element in self.elements]
        return b"".join(LENGTH.pack(len(each)) + each for each in encoded)


def inputs_of(tensor: TensorSent, binary: bytes | None, limit: int) -> list[Any]:
    """The inputs (n, ...) of a tensor: for BYTES a file or a text each, otherwise an array each.

    Args:
        tensor: The tensor as it was sent.
        binary: Its bytes; None if it has `data`.
        limit: Maximum inputs.

    Raises:
        Unprocessable: The tensor is not what it says.
    """
    check_count(tensor.shape[0], limit, "inputs")
    if tensor.datatype == BYTES:
        if prod(tensor.shape[1:]) != 1:
            raise _wrong(f"BYTES has the shape (n,) or (n, 1), not {tensor.shape}")
        contents = _texts(tensor) if binary is None else list(_split(binary, tensor.shape[0]))
        _check_elements(len(contents), tensor)
        return [Part(content, f"input[{i}]") for i, content in enumerate(contents)]
    return list(_array(tensor, binary))


def _array(tensor: TensorSent, binary: bytes | None) -> Array:
    if tensor.datatype not in TYPES:
        raise _wrong(f"the datatype is {tensor.datatype[:40]!r}, not one of BYTES, {', '.join(TYPES)}")
    dtype, count = np.dtype(TYPES[tensor.datatype]), prod(tensor.shape)
    if binary is not None:
        if len(binary) != count * dtype.itemsize:
            raise _wrong(f"{tensor.datatype} of the shape {tensor.shape} has not {len(binary)} bytes")
        array = np.frombuffer(binary, dtype)
    else:
        elements = _flat(tensor.data or [])
        _check_elements(len(elements), tensor)
        array = _numbers(elements, dtype)
    return (array.astype(np.uint8) if dtype.kind == "b" else array).reshape(tensor.shape)


def _numbers(elements: list[Any], dtype: np.dtype[Any]) -> Array:
    if not all(isinstance(each, (int, float)) for each in elements):
        raise _wrong("`data` holds elements that are no numbers")
    try:
        return np.array(elements, dtype)
    except (OverflowError, ValueError):
        raise _wrong("`data` holds numbers that its datatype cannot hold") from None


def _texts(tensor: TensorSent) -> list[bytes]:
    elements = _flat(tensor.data or [])
    if not all(isinstance(each, str) for each in elements):
        raise _wrong("`data` of BYTES holds texts; send files in base64, or as binary data")
    return [each.encode("utf-8", "surrogatepass") for each in elements]


def _flat(data: list[Any]) -> list[Any]:
    """The elements of nested lists."""
    while data and isinstance(data[0], list):
        if not all(isinstance(each, list) for each in data):
            raise _wrong("`data` is nested unevenly")
        data = list(chain.from_iterable(data))
    return data


def _split(binary: bytes, count: int) -> Iterator[bytes]:
    """The elements of BYTES, each after its length."""
    start = 0
    for _ in range(count):
        if start + LENGTH.size > len(binary):
            raise _wrong(f"the binary data has fewer elements than {count}")
        (length,) = LENGTH.unpack_from(binary, start)
        start += LENGTH.size + length
        if start > len(binary):
            raise _wrong("the binary data ends within an element")
        yield binary[start - length : start]
    if start != len(binary):
        raise _wrong(f"the binary data has more elements than {count}")


def _check_elements(count: int, tensor: TensorSent) -> None:
    if count != prod(tensor.shape):
        raise _wrong(f"{count} elements, but the shape is {tensor.shape}")


def _wrong(what: str) -> Unprocessable:
    return Unprocessable(f"input: {what}.", field="input")


def outputs_of(predictions: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """The predictions of an answer in JSON as tensors."""
    n = len(predictions)
    if "value" in predictions[0]:
        values = [each["value"] if isinstance(each["value"], list) else [each["value"]] for each in predictions]
        return {"value": Tensor("FP32", [n, len(values[0])], list(chain.from_iterable(values)))}
    shape = [n, len(predictions[0]["probabilities"])]
    found = [each["probabilities"] for each in predictions]
    tensors = {
        "classes": Tensor(BYTES, shape, list(chain.from_iterable(found))),
        "probabilities": Tensor("FP32", shape, list(chain.from_iterable(each.values() for each in found))),
    }
    if "labels" in predictions[0]:
        own = [{str(label) for label in each["labels"]} for each in predictions]
        given = [name in labels for labels, each in zip(own, found, strict=True) for name in each]
        return tensors | {"has_label": Tensor("BOOL", shape, given)}
    top = {
        "label": Tensor(BYTES, [n], [str(each["label"]) for each in predictions]),
        "probability": Tensor("FP32", [n], [each["probability"] for each in predictions]),
    }
    tensors = top | tensors
    if "unknown" in predictions[0]:
        tensors["unknown"] = Tensor("BOOL", [n], [each["unknown"] for each in predictions])
    return tensors
