"""The messages between an API process and the worker of its replica. Each is msgpack with a length prefix."""

from math import prod
from typing import Any

import msgspec
import numpy as np

from service.arrays import TEXT, Array, Arrays, SupportSet, pack_texts, unpack_texts
from service.engine.base import NOBODY, ExportJob, Fits, Share
from service.errors import (
    BadRequest,
    Busy,
    DeadlineExceeded,
    Diverged,
    HandfulError,
    NotExportable,
    TooCostly,
    Unavailable,
)
from service.logs import RequestContext

VERSION = 11
"""Version of this protocol. Both ends must have the same version."""

DTYPES = ("float32", "float64", "float16", "uint8", "int16", "int64", "bool")
"""The dtypes an array in a message may have."""


class Message(msgspec.Struct, array_like=True, tag=True):
    """Base of all messages. The name of the class is sent along."""


class Hello(Message):
    """The first message of the worker: its protocol version, and its models with the digests of their checkpoints."""

    version: int
    models: dict[str, str]


class Heartbeat(Message):
    """The worker is alive; `ready` once it has warmed up. `spent` is what tenants have used of the device, in seconds,
    and is told to one API process only."""

    ready: bool
    spent: dict[str, float] = {}


class Job(Message, kw_only=True):
    """Base of the requests. `context` is the request of a client that asks for it, for the logs of the worker."""

    context: RequestContext | None = None


class Adapt(Job):
    """Adapt to a support set and cache the state under `key`. The other fields are the arguments of `Engine.adapt`."""

    id: int
    model: str
    key: str
    support: SupportSet
    extends: str | None
    kept: list[int] | None = None
    share: Share = NOBODY
    rebuild: bool = False


class Predict(Job):
    """Answer queries from the state cached under `key`. A `state` that is sent along is cached first."""

    id: int
    model: str
    key: str
    queries: Array
    state: Arrays | None
    share: Share = NOBODY


class HoldOut(Job):
    """Answer each example of a support set as if it had not been learned. See `Engine.held_out`."""

    id: int
    model: str
    key: str
    support: SupportSet
    share: Share = NOBODY


class Familiar(Job):
    """Tell how familiar queries are to a support set. The fields are the arguments of `Engine.familiar`."""

    id: int
    model: str
    key: str
    queries: Array
    support: SupportSet | None
    share: Share = NOBODY


class Encode(Job):
    """Encode queries. The fields are the arguments of `Engine.features`."""

    id: int
    model: str
    queries: Array
    share: Share = NOBODY


class Explain(Job):
    """Tell what examples contribute to answers. The fields are the arguments of `Engine.explain`."""

    id: int
    model: str
    key: str
    queries: Array
    contrast: Array
    support: SupportSet
    parts: int
    share: Share = NOBODY


class Export(Job):
    """Write a network as an ONNX file. The fields are the arguments of `Engine.export`."""

    id: int
    job: ExportJob
    share: Share = NOBODY


class Fit(Job):
    """Tell the largest jobs that are accepted now. The fields are the arguments of `Engine.fits`."""

    id: int
    model: str
    ways: int
    examples: int
    inputs: int


class Evict(Message):
    """Remove a state from the cache."""

    key: str


class Cancel(Message):
    """Cancel a request; no reply is expected."""

    id: int


class Adapted(Message):
    """The adapted state."""

    id: int
    state: Arrays


class Answered(Message):
    """Logits or values."""

    id: int
    answers: Array


class HeldOut(Message):
    """What was found for the examples of a support set."""

    id: int
    found: Arrays


class Exported(Message):
    """An ONNX file."""

    id: int
    file: bytes


class Fitting(Message):
    """The largest jobs that are accepted now."""

    id: int
    fits: Fits


class NotCached(Message):
    """The state is not cached. The API process must send it along."""

    id: int


class Failed(Message):
    """An error, by its code."""

    id: int
    code: str
    detail: str


Queued = Adapt | Predict | HoldOut | Familiar | Explain | Encode | Export
"""Requests that wait in a queue of the worker."""
ToWorker = Queued | Fit | Evict | Cancel
ToApi = Hello | Heartbeat | Adapted | Answered | HeldOut | Exported | Fitting | NotCached | Failed

ERRORS: dict[str, type[HandfulError]] = {
    kind.code: kind for kind in (BadRequest, Busy, DeadlineExceeded, Diverged, NotExportable, TooCostly, Unavailable)
}
"""The errors that a worker may report."""


class Packed(msgspec.Struct, array_like=True, tag=True):
    """A numpy array as it is sent."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


class PackedTexts(msgspec.Struct, array_like=True, tag=True):
    """An array of texts as it is sent: UTF-8, and the number of bytes of each."""

    lengths: list[int]
    data: memoryview


def encoder() -> msgspec.msgpack.Encoder:
    """An encoder that knows numpy arrays."""
    return msgspec.msgpack.Encoder(enc_hook=_pack)


def decoder(accepts: Any) -> "msgspec.msgpack.Decoder[Any]":
    """A decoder of these messages that knows numpy arrays. It raises msgspec.DecodeError for anything else."""
    return msgspec.msgpack.Decoder(accepts, dec_hook=_unpack)


def _pack(array: Any) -> Packed | PackedTexts:
    if array.dtype == TEXT:
        data, lengths = pack_texts(array)
        return PackedTexts(lengths.tolist(), data.data)
    return Packed(array.dtype.name, array.shape, np.ascontiguousarray(array).data)


def _unpack(_: type, sent: Any) -> Array:
    """A read-only array. Raises ValueError, which msgspec turns into a ValidationError."""
    packed = msgspec.convert(sent, Packed | PackedTexts)
    if isinstance(packed, PackedTexts):
        return unpack_texts(np.frombuffer(packed.data, np.uint8), np.array(packed.lengths, np.int64))
    if packed.dtype not in DTYPES:
        raise ValueError(f"dtype {packed.dtype}; allowed: {', '.join(DTYPES)}")
    if min(packed.shape, default=0) < 0 or len(packed.data) != prod(packed.shape) * np.dtype(packed.dtype).itemsize:
        raise ValueError(f"{packed.dtype} array of shape {packed.shape} with {len(packed.data)} bytes")
    return np.frombuffer(packed.data, packed.dtype).reshape(packed.shape)
