"""Processes that are started again when they die, and that die with their parent."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from prometheus_client.multiprocess import mark_process_dead

from service.errors import HandfulError

log = logging.getLogger(__name__)

GRACE_S = 40.0
"""For a process that was asked to stop; then it is killed."""
LONGEST_PAUSE_S = 10.0
HEALTHY_S = 60.0
"""A process that ran for so long before it died is started again at once."""


class ChildFailed(HandfulError):
    """A process ended before the service was ready once: starting it again would not help."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(f"{name} has ended with status {status}; what it said stands above.")


class Child:
    """A `handful` command as a process."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], fds: Sequence[int] = ()
    ) -> None:
        self.name, self._arguments, self._environment, self._fds = name, arguments, environment, fds
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self, ready: asyncio.Event) -> None:
        """Until cancelled. Raises ChildFailed when it ends by itself before the service was `ready`: whoever kills it
        has reasons that the next need not have."""
        pause, clock = 0.0, asyncio.get_running_loop().time
        while True:
            began = clock()
            status = await self._run()
            if not ready.is_set() and status >= 0:
                raise ChildFailed(self.name, status)
            pause = 0.0 if clock() - began > HEALTHY_S else min(2 * pause + 0.1, LONGEST_PAUSE_S)
            log.error("%s has ended with status %d; starting it again in %.1f s", self.name, status, pause)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Ask it to finish what it has in hand, and wait for that."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(GRACE_S):
                await self._process.wait()
        except TimeoutError:
            log.error("%s does not end; killing it", self.name)
            self._process.kill()
            await self._process.wait()

    async def _run(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *self._arguments, "--with-parent"),
            stdin=asyncio.subprocess.PIPE,
            env=self._environment,
            pass_fds=self._fds,
            start_new_session=True,  # so that Ctrl-C reaches the parent alone, which stops them in order
        )
        status = await self._process.wait()
        end_metrics_of(self._process.pid, self._environment)
        return status


def log_to_stderr() -> None:
    """What the service itself has to say; of libraries only warnings."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("service").setLevel(logging.INFO)


def end_metrics_of(pid: int, environment: Mapping[str, str]) -> None:
    """Count a process that has ended no longer in gauges."""
    with suppress(KeyError, OSError):  # without a folder of metrics there is nothing to mark
        mark_process_dead(pid, environment["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]


def end_with_parent(fd: int = 0) -> None:
    """End at once when what comes on `fd` does, which the parent holds: it was killed, and another may be started."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(fd, 1):
                pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
