"""A process that has imported what takes long, and works in a fork of itself: when that is killed, the next one begins
where imports end."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from service.process.supervisor import end_metrics_of, end_with_parent

log = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT)


def go_on_in_fork() -> None:
    """Return in a fork of this process, and in another whenever one is killed; never in this process itself. One that
    ends by itself has a reason, which the next would have too: raises SystemExit with its status."""
    stopping = threading.Event()
    ends_with_us, held = os.pipe()
    while not stopping.is_set():
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # until both know what to do then
        fork = os.fork()
        if fork == 0:
            _on_stops(signal.SIG_DFL)
            os.close(held)
            end_with_parent(ends_with_us)
            return
        status = _wait_for(fork, stopping)
        if status >= 0:
            raise SystemExit(status)
        log.error("the worker has ended with status %d; another begins", status)
    raise SystemExit


def _wait_for(fork: int, stopping: threading.Event) -> int:
    """Its exit status, or minus the signal that has killed it; meanwhile it is told what we are told."""

    def stop(*_: object) -> None:
        stopping.set()
        with suppress(ProcessLookupError):
            os.kill(fork, signal.SIGTERM)

    _on_stops(stop)
    _, status = os.waitpid(fork, 0)
    end_metrics_of(fork, os.environ)
    return os.waitstatus_to_exitcode(status)


def _on_stops(do: signal.Handlers | Callable[..., None]) -> None:
    for each in STOPS:
        signal.signal(each, do)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
