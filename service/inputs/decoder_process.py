"""A process that decodes files within limits of processor time and memory. It can be killed.

It imports neither the API nor torch. `DecoderProcess` starts it with the descriptor of a socket and the two limits.
"""

import marshal
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.registry import input_kind

LENGTH = struct.Struct("<Q")
"""The prefix of a request: its length."""
NICENESS = 5
"""Small requests and batches of others come first on a busy processor."""
LENGTHS = struct.Struct("<QQ")
"""The prefix of an answer: the lengths of its head, which is JSON, and of its numbers."""


def main() -> None:
    """Answer requests until the parent closes the socket."""
    fd, cpu_s, memory_bytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    connection = socket.socket(fileno=fd)
    os.nice(NICENESS)
    with connection, connection.makefile("rb") as requests, connection.makefile("wb") as answers:
        limit_memory(memory_bytes)
        while length := requests.read(LENGTH.size):
            request = requests.read(*LENGTH.unpack(length))
            signal.setitimer(signal.ITIMER_PROF, cpu_s)  # the signal ends the process
            answer(answers, *decode(request))
            signal.setitimer(signal.ITIMER_PROF, 0)


def limit_memory(more_bytes: int) -> None:
    """Limit the process to `more_bytes` bytes more than it has now, if the system supports it."""
    with suppress(OSError, ValueError):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more_bytes, now + more_bytes))


def decode(request: bytes) -> tuple[dict[str, Any], bytes]:
    """The head and the numbers of the answer."""
    kind, raw, fields, limits = marshal.loads(request)
    try:
        decoded = input_kind(kind).decode(list(map(unpacked, raw)), fields, Limits(*limits))
        inputs = decoded.array()
    except Unprocessable as refusal:
        return {"refusal": refusal.detail, "field": refusal.field}, b""
    except MemoryError:
        return {"failure": "memory"}, b""
    return {
        "dtype": inputs.dtype.str,
        "shape": inputs.shape,
        "warnings": decoded.warnings,
    }, inputs.tobytes()


def packed(one: Any) -> Any:
    """An input as marshal takes it: an array as its type, shape and bytes."""
    return (one.dtype.str, one.shape, one.tobytes()) if isinstance(one, np.ndarray) else one


def unpacked(one: Any) -> Any:
    """The input of `packed`."""
    return np.frombuffer(one[2], one[0]).reshape(one[1]) if isinstance(one, tuple) else one


def answer(stream: BinaryIO, head: dict[str, Any], numbers: bytes) -> None:
    """Write an answer."""
    encoded = orjson.dumps(head)
    stream.write(LENGTHS.pack(len(encoded), len(numbers)) + encoded)
    stream.write(numbers)
    stream.flush()


if __name__ == "__main__":
    main()
