"""What API processes and device workers say to each other: messages in msgpack, each behind its length. No pickle."""

import hashlib
import hmac
import secrets
from math import prod

import msgspec
import numpy as np

from service.arrays import Array, Arrays
from service.errors import BadRequest, Busy, DeadlineExceeded, Diverged, HandfulError, Unavailable

VERSION = 2
"""Of these messages: both ends must have the same."""

DTYPES = ("float32", "float64", "float16", "uint8", "int64", "bool")


class Message(msgspec.Struct, array_like=True, tag=True):
    """Any of those below; its name goes with it."""


class Packed(msgspec.Struct, array_like=True):
    """An array."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


class Challenge(Message):
    """The worker greets: prove with this nonce that you know the secret."""

    version: int
    nonce: bytes


class Proof(Message):
    """The API does, and asks for the same."""

    nonce: bytes
    mac: bytes


class Welcome(Message):
    """So does the worker, and names its models with the digests of their checkpoints."""

    mac: bytes
    models: dict[str, str]


class Heartbeat(Message):
    """The worker lives; `ready` once it has warmed up."""

    ready: bool


class Adapt(Message):
    """Learn from a support set, and hold the state under `key`."""

    id: int
    model: str
    key: str
    inputs: Packed
    targets: Packed
    ways: int


class Predict(Message):
    """Answer queries from the state under `key`; from `state` where one is sent along, which is then held."""

    id: int
    model: str
    key: str
    queries: Packed
    state: dict[str, Packed] | None


class Evict(Message):
    """Hold a state no longer."""

    key: str


class Cancel(Message):
    """Nobody waits for the answer to this message any more."""

    id: int


class Adapted(Message):
    """The state that a support set gives."""

    id: int
    state: dict[str, Packed]


class Answered(Message):
    """Logits or values."""

    id: int
    answers: Packed


class NotCached(Message):
    """Send the state along."""

    id: int


class Failed(Message):
    """An error, by its code."""

    id: int
    code: str
    detail: str


ToWorker = Proof | Adapt | Predict | Evict | Cancel
ToApi = Challenge | Welcome | Heartbeat | Adapted | Answered | NotCached | Failed

ERRORS: dict[str, type[HandfulError]] = {each.code: each for each in (Busy, DeadlineExceeded, Diverged, Unavailable)}


def pack(array: Array) -> Packed:
    """An array for a message."""
    return Packed(array.dtype.name, array.shape, memoryview(array.tobytes()))


def unpack(packed: Packed) -> Array:
    """The array of a message, read-only. Raises BadRequest for one that is not what it says."""
    if packed.dtype not in DTYPES:
        raise BadRequest(f"An array of {packed.dtype} came; the worker takes {', '.join(DTYPES)}.")
    if min(packed.shape, default=0) < 0 or len(packed.data) != prod(packed.shape) * np.dtype(packed.dtype).itemsize:
        raise BadRequest(f"An array of {packed.dtype} {packed.shape} came with {len(packed.data)} bytes.")
    return np.frombuffer(packed.data, packed.dtype).reshape(packed.shape)


def pack_all(arrays: Arrays) -> dict[str, Packed]:
    """Arrays for a message."""
    return {name: pack(array) for name, array in arrays.items()}


def unpack_all(arrays: dict[str, Packed]) -> Arrays:
    """The arrays of a message."""
    return {name: unpack(array) for name, array in arrays.items()}


def new_nonce() -> bytes:
    """A number that is used once."""
    return secrets.token_bytes(32)


def mac(secret: str, who: str, nonce: bytes) -> bytes:
    """Proof that `who`, "api" or "worker", knows the secret; a proof of one cannot be sent back as the other's."""
    return hmac.digest(secret.encode(), who.encode() + nonce, hashlib.sha256)
