"""A process that works in a fork of itself."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

PROGRAM = """
import os, signal, sys
from service.process.forks import go_on_in_fork

go_on_in_fork()
print(os.getpid(), flush=True)
{does}
"""


@contextmanager
def running(does: str) -> Iterator[tuple[subprocess.Popen, Callable[[], psutil.Process]]]:
    """A process whose forks do something; and the next of its forks."""
    command = [sys.executable, "-c", PROGRAM.format(does=does)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, lambda: psutil.Process(int(process.stdout.readline()))
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_when_a_fork_is_killed_another_begins(how):
    with running("signal.pause()") as (process, next_fork):
        first = next_fork()
        first.send_signal(how)
        second = next_fork()
        assert first.pid != second.pid
        assert second.ppid() == process.pid


def test_when_a_fork_ends_by_itself_so_does_the_process():
    with running("sys.exit(3)") as (process, _):
        assert process.wait(60) == 3


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_both_do(how):
    with running("signal.pause()") as (process, next_fork):
        fork = next_fork()
        process.send_signal(how)
        assert process.wait(60) == 0
        assert not psutil.pid_exists(fork.pid)


def test_a_fork_does_not_outlive_the_process():
    with running("signal.pause()") as (process, next_fork):
        fork = next_fork()
        process.kill()
        fork.wait(60)
