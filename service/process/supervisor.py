"""Child processes that are restarted when they die and that end with their parent."""

import asyncio
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

from prometheus_client.multiprocess import mark_process_dead

from service.errors import HandfulError
from service.logs import log_to_stderr

log = logging.getLogger(__name__)

GRACE_S = 40.0
"""Seconds that a process has to stop before it is killed."""
MIN_PAUSE_S, MAX_PAUSE_S = 0.1, 10.0
"""Pause before a restart; it doubles while a process keeps dying."""
HEALTHY_S = 10.0
"""A process that ran this long is restarted after the shortest pause."""
PARENT_CHECK_S = 1.0
"""Seconds between two checks whether the parent is alive."""


class ChildFailed(HandfulError):
    """A process exited before the service was ready. A restart would not help."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(f"{name} exited with status {status}. Its last log message says why.")


class Child:
    """A process that runs `run(*arguments)` of a module.

    Args:
        name: The name in log messages.
        method: "spawn" starts a new Python. "forkserver" forks a process that has already imported the module.
        module: The module with the function `run`.
        arguments: Picklable arguments. Sockets are duplicated into the process.
        environment: More environment variables for a new forkserver.
        preload: More modules that it imports.
    """

    def __init__(
        self,
        name: str,
        method: Literal["spawn", "forkserver"],
        module: str,
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
    ) -> None:
        self.name, self.arguments, self._module = name, arguments, module
        self._environment = environment or {}
        self._context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload([module, *preload])
        self._process: Any = None

    async def keep_running(self, ready: asyncio.Event) -> None:
        """Run the process and restart it when it ends, until cancelled.

        Raises:
            ChildFailed: It exited, not by a signal, before the service was `ready`.
        """
        pause, clock = MIN_PAUSE_S, asyncio.get_running_loop().time
        while True:
            began = clock()
            status = await self._run()
            if not ready.is_set() and status >= 0:
                raise ChildFailed(self.name, status)
            pause = MIN_PAUSE_S if clock() - began > HEALTHY_S else min(2 * pause, MAX_PAUSE_S)
            log.error("%s exited with status %d; restarting it in %.1f s", self.name, status, pause)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Ask the process to finish its work and wait until it has ended."""
        if self._process is None or not self._process.is_alive():
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(GRACE_S):
                await _ended(self._process)
        except TimeoutError:
            log.error("%s does not stop within %g s; killing it", self.name, GRACE_S)
            self._process.kill()
            await _ended(self._process)

    async def _run(self) -> int:
        """Run the process once and return its exit status, or minus the signal that killed it."""
        process = self._context.Process(target=_main, args=(self._module, self.arguments), name=self.name)
        try:
            with _environment({"PYTHONSAFEPATH": "1", **self._environment}):
                process.start()
        except (EOFError, ConnectionError):  # the forkserver was killed a moment ago; the next start replaces it
            return -signal.SIGKILL
        self._process = process
        await _ended(process)
        _end_metrics_of(process.pid)
        return int(process.exitcode)


async def _ended(process: Any) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started within the context."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _main(module: str, arguments: tuple[Any, ...]) -> None:
    """The child process."""
    os.setsid()  # Ctrl-C reaches only the parent, which stops its children in order
    _end_with_parent()
    log_to_stderr()
    try:
        importlib.import_module(module).run(*arguments)
    except (HandfulError, ValueError, OSError) as error:
        log.error("%s", error)
        sys.exit(2)


def _end_with_parent() -> None:
    """End this process when its parent or the forkserver dies. A restarted parent starts its own children."""
    parent, creator = multiprocessing.parent_process(), os.getppid()
    assert parent is not None

    def watch() -> None:
        while parent.is_alive() and os.getppid() == creator:
            parent.join(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end_metrics_of(pid: int) -> None:
    """Remove an ended process from the gauges."""
    with suppress(KeyError, OSError):  # there is no folder for metrics
        mark_process_dead(pid, os.environ["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]
