"""ONNX files of clients' networks: written one at a time, each in a process of its own."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Hashable
from importlib.util import find_spec
from typing import Any, NamedTuple

import orjson

from service.engine.base import NOBODY, ExportJob, Share
from service.engine.costs import FREE, Cost
from service.engine.export_process import pack
from service.engine.job_queue import Job, JobQueue, settle
from service.engine.turns import Turns
from service.errors import Busy, DeadlineExceeded, NotExportable, TooCostly, Unavailable
from service.settings import Settings

log = logging.getLogger(__name__)

WAITING, OF_A_TENANT = 16, 4
"""Maximum exports that wait; and of one tenant, that wait or run."""
LOGGED = 2000
"""Characters of the errors of a process that go to the log."""


class Export(NamedTuple):
    """A network to write, and the process that will write it."""

    job: ExportJob
    process: "ExportProcess"


class Exports(JobQueue[Export, bytes]):
    """Writes one file at a time. Tenants take turns; the processor time of a process counts as theirs."""

    def __init__(self, settings: Settings, turns: Turns) -> None:
        super().__init__("export", WAITING, 1)
        self._settings, self._turns = settings, turns
        self._of_tenant: Counter[str] = Counter()
        self._running: ExportProcess | None = None

    def start_export(self, job: ExportJob, share: Share) -> "asyncio.Future[bytes]":
        """Queue an export. Raises NotExportable, Busy, Unavailable."""
        if find_spec("onnxscript") is None:
            raise NotExportable(
                "ONNX files need the extra onnx where the device worker runs: pip install 'handful[onnx]'."
            )
        process = ExportProcess(self._settings.export_s, self._settings.max_job_bytes)
        return self.submit(Export(job, process), job.model, 0, share=share)

    def submit(
        self, work: Export, group: Hashable, examples: int, cost: Cost = FREE, share: Share = NOBODY
    ) -> "asyncio.Future[bytes]":
        """See `JobQueue.submit`."""
        tenant = share[0]
        if self._of_tenant[tenant] >= OF_A_TENANT:
            raise Busy(f"{OF_A_TENANT} exports to ONNX wait or run, the limit of a tenant. Try again when one is done.")
        answer = super().submit(work, group, examples, cost, share)
        self._of_tenant[tenant] += 1

        def done(_: "asyncio.Future[bytes]") -> None:
            self._of_tenant[tenant] -= 1
            work.process.end()

        answer.add_done_callback(done)
        return answer

    def close(self) -> None:
        """End the process that runs, and refuse the jobs that wait."""
        with self._changed:
            self._closing = True
            running = self._running
        if running is not None:
            running.end()
        super().close()

    def _submitted(self, job: Job[Export, bytes]) -> None:
        """Nothing needs to know."""

    def _next(self) -> list[Job[Export, bytes]]:
        job = self._queue.pop()
        self._running = None if job is None else job.work.process
        return [] if job is None else [job]

    def _serve(self, jobs: list[Job[Export, bytes]], number: int) -> None:
        [job] = jobs
        self._began[number] = None  # the process has a limit of its own
        outcome: bytes | Exception
        try:
            path = self._settings.weights(job.work.job.model)
            head, content = job.work.process.run(pack(job.work.job, path))
            self._turns.charge(job.share[0], head["cpu_s"])
            outcome = _file(head, content)
        except Exception as error:
            outcome = error.with_traceback(None)
        settle([(job.answer, outcome)])


def _file(head: dict[str, Any], content: bytes) -> bytes:
    """The file of an answer. Raises NotExportable, TooCostly."""
    if "refusal" in head:
        raise NotExportable(head["refusal"])
    if "memory" in head:
        raise TooCostly(f"The export needs more memory than {head['memory']} bytes (HANDFUL_MAX_JOB_BYTES).")
    return content


class ExportProcess:
    """One process, for one file. It runs in one thread; any thread may end it.

    Args:
        limit_s: Seconds until it is ended.
        memory_bytes: Maximum memory, beside that of the libraries.
    """

    def __init__(self, limit_s: float, memory_bytes: int) -> None:
        self._limit_s, self._arguments = limit_s, [str(limit_s), str(memory_bytes)]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def run(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        """The head and the file of the answer. Raises DeadlineExceeded, Unavailable."""
        with self._lock:
            if self._ended:
                raise Unavailable("The export was ended.")
            self._process = process = self._popen()
        answer, errors = process.communicate(request)
        head, _, content = answer.partition(b"\n")
        if process.returncode == 0:
            return orjson.loads(head), content
        if process.returncode == -signal.SIGALRM:
            raise DeadlineExceeded(f"The export took over {self._limit_s:g} s, the limit (HANDFUL_EXPORT_S).")
        if not self._ended:
            log.error("an export failed with status %d: %s", process.returncode, errors.decode()[-LOGGED:])
        raise Unavailable("The export failed. The log of the device worker says why.")

    def end(self) -> None:
        """Kill the process, or do not start it."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def _popen(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "service.engine.export_process", *self._arguments],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            # No GPU and one thread: it runs beside the service. The kernel is no operation of ONNX.
            env=os.environ | {"HANDFUL_NATIVE": "0", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
