"""Decoder processes, shared fairly by tenants.

The cost of decoding an image file cannot be known in advance: it depends on scans, frames, chunks and tables. Files are
therefore decoded in processes with a limit of processor time and memory. The checks before decoding only give better
error messages for known cases. Many pixels are decoded there too, because threads would take turns with the event loop.
"""

import asyncio
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import orjson

from service import metrics
from service.errors import Busy, DeadlineExceeded, Unavailable, Unprocessable
from service.inputs.decoder_process import LENGTH, LENGTHS, packed
from service.inputs.kind import Decoded, InputKind, InputWarning
from service.inputs.limits import Limits

Bytes = bytes | bytearray

BYTES_PER_PIXEL = 12
"""Memory for a decoded image and a rotated copy."""
SPARE_BYTES = 256 * 2**20
"""Memory for the request and for the decoder itself."""


class _Asked(NamedTuple):
    """What a request asks to decode, for error messages."""

    plural: str
    field: str


class DecoderPool:
    """Decodes files in `count` processes. The first request starts all of them. Threads talk with them, because large
    requests would hold the event loop.

    Args:
        count: Processes.
        share: Processes that one tenant may use at a time.
        limits: Limits of one request.
        cpu_s: Maximum processor time of one request, in seconds.
        wait_s: Maximum seconds to wait for a free process, and then for its answer.
    """

    def __init__(self, count: int, share: int, limits: Limits, cpu_s: float, wait_s: float) -> None:
        self._limits, self._share, self._cpu_s, self.wait_s = limits, share, cpu_s, wait_s
        self._memory_bytes = BYTES_PER_PIXEL * limits.image_pixels + SPARE_BYTES
        self.processes = [DecoderProcess(cpu_s, self._memory_bytes) for _ in range(count)]
        self._free: asyncio.LifoQueue[DecoderProcess] = asyncio.LifoQueue()
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running: set[asyncio.Task[Decoded]] = set()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decoder")
        self._started = False
        for process in self.processes:
            self._free.put_nowait(process)

    async def decode(self, kind: InputKind, raw: Sequence[Any], fields: Sequence[str], tenant: str) -> Decoded:
        """Decode the inputs of one request.

        Raises:
            Unprocessable: An input is invalid, or takes too much time or memory to decode.
            Busy: No process became free in time.
            DeadlineExceeded: The process did not answer in time.
            Unavailable: No process can be started.
        """
        request = partial(_request, kind, raw, fields, self._limits)
        self._start()
        share = self._shares.setdefault(tenant, asyncio.Semaphore(self._share))
        process = await self._wait(share)
        task = asyncio.create_task(self._ask(process, request, share, _Asked(kind.plural, _field(fields))))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)  # a cancelled caller must not cause a restart

    async def close(self) -> None:
        """End all processes, including those that are still starting."""
        self._end_all()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._end_all()
        self._threads.shutdown(wait=False)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            for process in self.processes:
                self._threads.submit(process.start)

    def _end_all(self) -> None:
        for process in self.processes:
            process.end()

    def _forget(self, task: asyncio.Task[Decoded]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: its caller may be gone

    async def _wait(self, share: asyncio.Semaphore) -> "DecoderProcess":
        """Wait for a free process. A tenant waits for its own share first, so that tenants take turns."""
        try:
            async with asyncio.timeout(self.wait_s):
                await share.acquire()
                try:
                    return await self._free.get()
                except BaseException:
                    share.release()
                    raise
        except TimeoutError:
            raise Busy(f"No decoder was free for {self.wait_s:g} s. Send fewer or smaller inputs.") from None

    async def _ask(
        self, process: "DecoderProcess", request: Callable[[], bytes], share: asyncio.Semaphore, what: _Asked
    ) -> Decoded:
        try:
            async with asyncio.timeout(self.wait_s):
                asked = asyncio.get_running_loop().run_in_executor(self._threads, process.ask, request)
                head, numbers = await asked
        except TimeoutError:
            process.end()
            metrics.decoders_ended.labels("deadline").inc()
            detail = f"The {what.plural} were not decoded within {self.wait_s:g} s."
            raise DeadlineExceeded(detail, field=what.field) from None
        except (EOFError, OSError):
            raise self._died(process, what) from None
        finally:
            self._free.put_nowait(process)
            share.release()
        return self._read(head, numbers, what)

    def _died(self, process: "DecoderProcess", what: _Asked) -> Unprocessable:
        if process.end() == -signal.SIGPROF:
            metrics.decoders_ended.labels("cpu").inc()
            detail = f"take over {self._cpu_s:g} s to decode, the limit. Send smaller or simpler ones."
        else:
            metrics.decoders_ended.labels("crash").inc()
            detail = "could not be decoded: the decoder failed. Send them in another format."
        return Unprocessable(f"{what.field}: the {what.plural} {detail}", field=what.field)

    def _read(self, head: dict[str, Any], numbers: Bytes, what: _Asked) -> Decoded:
        if "refusal" in head:
            raise Unprocessable(head["refusal"], field=head["field"])
        if "failure" in head:
            raise Unprocessable(
                f"{what.field}: the {what.plural} need more memory to decode than {self._memory_bytes} bytes, the "
                "limit. Send smaller or simpler ones.",
                field=what.field,
            )
        inputs = np.frombuffer(numbers, np.dtype(head["dtype"])).reshape(head["shape"])
        return Decoded(inputs, [InputWarning(**warning) for warning in head["warnings"]])


def _field(fields: Sequence[str]) -> str:
    """The input, or the list of all inputs, for errors that may be due to any of them."""
    return fields[0] if len(fields) == 1 else fields[0].partition("[")[0]


class DecoderProcess:
    """One process, used by one thread at a time. It starts again at the first request after it has ended."""

    def __init__(self, cpu_s: float, memory_bytes: int) -> None:
        self._arguments = [str(cpu_s), str(memory_bytes)]
        self.process: subprocess.Popen[bytes] | None = None
        self._in_use = threading.Lock()

    def start(self) -> None:
        """Start the process if it does not run. Raises Unavailable."""
        with self._in_use:
            self._start()

    def ask(self, request: Callable[[], bytes]) -> tuple[dict[str, Any], Bytes]:
        """Send a request. Returns the head and the numbers of the answer. Raises Unavailable, EOFError or OSError if
        the process ends."""
        with self._in_use:
            self._start()
            content = request()
            self._socket.sendall(LENGTH.pack(len(content)))
            self._socket.sendall(content)
            head, numbers = LENGTHS.unpack(self._received(LENGTHS.size))
            return orjson.loads(self._received(head)), self._received(numbers)

    def end(self) -> int | None:
        """Kill the process. Returns its exit status, or minus the signal that ended it; None if it never started."""
        if self.process is None:
            return None
        self.process.kill()  # does not change the status of a process that has ended
        status, self.process = self.process.wait(), None
        with self._in_use:  # a thread that waits for an answer reads the end of the file now
            self._socket.close()
        return status

    def _received(self, size: int) -> Bytes:
        content = bytearray(size)
        rest = memoryview(content)
        while rest:
            count = self._socket.recv_into(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return content

    def _start(self) -> None:
        if self.process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self.process, self._socket = self._popen(theirs), ours
            except OSError as error:
                ours.close()
                raise Unavailable("No decoder can be started.") from error

    def _popen(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        fd = connection.fileno()
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "service.inputs.decoder_process", str(fd), *self._arguments],
            pass_fds=[fd],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # threads use address space
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def _request(kind: InputKind, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> bytes:
    return marshal.dumps((kind.model_dump(), list(map(packed, raw)), list(fields), tuple(limits)))
