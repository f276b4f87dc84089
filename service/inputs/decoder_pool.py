"""Decoder processes, shared fairly by tenants.

Image decoders have costs that nobody can list: scans, frames, chunks, tables that point into one another. So files are
decoded in processes whose processor time and memory the kernel limits; cheap checks before decoding only give better
answers to what is known.
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
from service.inputs.decoder_process import LENGTH, LENGTHS
from service.inputs.kind import Decoded, InputKind, InputWarning
from service.inputs.limits import Limits

BYTES_PER_PIXEL = 12
"""Memory for a decoded image and a turned copy of it."""
SPARE_BYTES = 256 * 2**20
"""Memory for the request and for what a decoder needs beside the image."""


class DecoderPool:
    """Decodes files in `count` processes, which are started when they are first needed.

    Args:
        count: Processes.
        share: Processes that one tenant may use at a time.
        limits: What one request may cost.
        cpu_s: Seconds of processor time that one request may take.
        wait_s: Seconds to wait for a process, and then for its answer.
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
            Unprocessable: An input is refused, or takes too much time or memory to decode.
            Busy: No process became free in time.
            DeadlineExceeded: The process did not answer in time.
            Unavailable: No process can be started.
        """
        request = marshal.dumps((kind.model_dump(), list(raw), list(fields), tuple(self._limits)))
        share = self._shares.setdefault(tenant, asyncio.Semaphore(self._share))
        process = await self._wait(share)
        task = asyncio.create_task(self._ask(process, request, share, _field(fields)))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)  # a caller that leaves must not make a process start again

    async def close(self) -> None:
        """End all processes, those too that are being started."""
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
            task.exception()  # its caller may have left

    async def _wait(self, share: asyncio.Semaphore) -> "DecoderProcess":
        """A free process. The tenant waits for its own share first, so that tenants take turns in the second queue."""
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
        return Decoded(inputs, [InputWarning(*warning) for warning in head["warnings"]])


def _field(fields: Sequence[str]) -> str:
    """The input, or the list of all inputs, for errors that may be due to any of them."""
    return fields[0] if len(fields) == 1 else fields[0].partition("[")[0]


class DecoderProcess:
    """One process, started when it is first asked and after it has ended."""

    def __init__(self, cpu_s: float, memory_bytes: int) -> None:
        self._arguments = [str(cpu_s), str(memory_bytes)]
        self.process: subprocess.Popen[bytes] | None = None

    async def ask(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        """The head and the numbers of the answer. Raises EOFError or ConnectionError when the process ends."""
        if self.process is None:
            await self._start()
        self._writer.write(LENGTH.pack(len(request)))
        self._writer.write(request)
        head, numbers = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
        return orjson.loads(await self._reader.readexactly(head)), await self._reader.readexactly(numbers)

    def end(self) -> int | None:
        """Kill the process. Returns its exit status if it had started; negative: the signal that ended it."""
        if self.process is None:
            return None
        self.process.kill()  # without effect on the status of one that is ending
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
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # threads take address space
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
