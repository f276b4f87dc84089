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
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import orjson

from service import metrics
from service.errors import Busy, DeadlineExceeded, Unavailable, Unprocessable
from service.inputs.decoder_process import LENGTH, LENGTHS, packed
from service.inputs.kind import Decoded, InputKind, InputWarning
from service.inputs.limits import Limits

BYTES_PER_PIXEL = 12
"""Memory for a decoded image and a rotated copy."""
SPARE_BYTES = 256 * 2**20
"""Memory for the request and for the decoder itself."""


class DecoderPool:
    """Decodes files in `count` processes. Each starts when it is first needed.

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
        request = marshal.dumps((kind.model_dump(), list(map(packed, raw)), list(fields), tuple(self._limits)))
        share = self._shares.setdefault(tenant, asyncio.Semaphore(self._share))
        process = await self._wait(share)
        task = asyncio.create_task(self._ask(process, request, share, _field(fields)))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)  # a cancelled caller must not cause a restart

    async def close(self) -> None:
        """End all processes, including those that are still starting."""
        self._end_all()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._end_all()
        await asyncio.sleep(0)  # transports close in the next turn of the loop

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
            raise Busy(f"No image decoder was free for {self.wait_s:g} s. Send fewer or smaller images.") from None

    async def _ask(self, process: "DecoderProcess", request: bytes, share: asyncio.Semaphore, field: str) -> Decoded:
        try:
            async with asyncio.timeout(self.wait_s):
                head, numbers = await process.ask(request)
        except TimeoutError:
            process.end()
            metrics.decoders_ended.labels("deadline").inc()
            raise DeadlineExceeded(f"The images were not decoded within {self.wait_s:g} s.", field=field) from None
        except (EOFError, ConnectionError):
            raise self._died(process, field) from None
        finally:
            self._free.put_nowait(process)
            share.release()
        return self._read(head, numbers, field)

    def _died(self, process: "DecoderProcess", field: str) -> Unprocessable:
        if process.end() == -signal.SIGPROF:
            metrics.decoders_ended.labels("cpu").inc()
            detail = f"take over {self._cpu_s:g} s to decode, the limit. Send smaller or simpler ones."
        else:
            metrics.decoders_ended.labels("crash").inc()
            detail = "could not be decoded: the decoder failed. Send them in another format."
        return Unprocessable(f"{field}: the images {detail}", field=field)

    def _read(self, head: dict[str, Any], numbers: bytes, field: str) -> Decoded:
        if "refusal" in head:
            raise Unprocessable(head["refusal"], field=head["field"])
        if "failure" in head:
            raise Unprocessable(
                f"{field}: the images need more memory to decode than {self._memory_bytes} bytes, the limit. "
                "Send smaller or simpler ones.",
                field=field,
            )
        inputs = np.frombuffer(numbers, np.dtype(head["dtype"])).reshape(head["shape"])
        return Decoded(inputs, [InputWarning(**warning) for warning in head["warnings"]])


def _field(fields: Sequence[str]) -> str:
    """The input, or the list of all inputs, for errors that may be due to any of them."""
    return fields[0] if len(fields) == 1 else fields[0].partition("[")[0]


class DecoderProcess:
    """One process. It starts at the first request, and again at the first request after it has ended."""

    def __init__(self, cpu_s: float, memory_bytes: int) -> None:
        self._arguments = [str(cpu_s), str(memory_bytes)]
        self.process: subprocess.Popen[bytes] | None = None

    async def ask(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        """Send a request. Returns the head and the numbers of the answer. Raises EOFError or ConnectionError if the
        process ends."""
        if self.process is None:
            await self._start()
        self._writer.write(LENGTH.pack(len(request)))
        self._writer.write(request)
        head, numbers = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
        return orjson.loads(await self._reader.readexactly(head)), await self._reader.readexactly(numbers)

    def end(self) -> int | None:
        """Kill the process. Returns its exit status, or minus the signal that ended it; None if it never started."""
        if self.process is None:
            return None
        self.process.kill()  # does not change the status of a process that has ended
        status, self.process = self.process.wait(), None
        self._writer.transport.abort()
        return status

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self.process = await asyncio.to_thread(self._popen, theirs)
        except OSError as error:
            ours.close()
            raise Unavailable("No image decoder can be started.") from error
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)

    def _popen(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        fd = connection.fileno()
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "service.inputs.decoder_process", str(fd), *self._arguments],
            pass_fds=[fd],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # threads use address space
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
