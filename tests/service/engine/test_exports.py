"""Exports run one at a time, each in a process that can be ended."""

import asyncio
import signal
import subprocess
import sys

import numpy as np
import pytest

from service.engine import exports
from service.engine.base import ExportJob
from service.engine.exports import OF_A_TENANT, ExportProcess, Exports
from service.engine.turns import Turns
from service.errors import Busy, DeadlineExceeded, NotExportable, TooCostly, Unavailable
from service.settings import Settings

JOB = ExportJob("glyphs", {}, np.zeros((3, 1), np.float32), "probabilities", 1.0, {})
pytestmark = pytest.mark.anyio


@pytest.fixture
def programs(monkeypatch):
    """What the processes run, in place of the export."""
    code: list[str] = []

    def started(_: ExportProcess) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code[0]], stdin=pipe, stdout=pipe, stderr=pipe)

    monkeypatch.setattr(ExportProcess, "_popen", started)
    return code


@pytest.fixture
def queue():
    queue = Exports(Settings(), Turns())
    queue.start()
    yield queue
    queue.close()


async def test_the_file_is_what_the_process_writes_and_its_time_is_the_tenants(queue, programs):
    programs.append("print('{\"cpu_s\": 1.5}\\nfile', end='')")
    assert await queue.start_export(JOB, ("acme", "alice")) == b"file"
    assert queue._turns.spent() == {"acme": 1.5}


@pytest.mark.parametrize(
    ("head", "error"), [('{"cpu_s": 1, "refusal": "No."}', NotExportable), ('{"cpu_s": 1, "memory": 7}', TooCostly)]
)
async def test_a_refusal_of_the_process_is_an_error(queue, programs, head, error):
    programs.append(f"print('{head}')")
    with pytest.raises(error):
        await queue.start_export(JOB, ("acme", "alice"))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGALRM)})", DeadlineExceeded),
        ("raise SystemExit(1)", Unavailable),
    ],
)
async def test_a_process_that_ends_without_a_file_is_an_error(queue, programs, code, error):
    programs.append(code)
    with pytest.raises(error):
        await queue.start_export(JOB, ("acme", "alice"))


async def test_a_cancelled_export_ends_its_process_and_the_next_one_runs(queue, programs):
    programs.append("input()\nwhile True: pass")
    endless = queue.start_export(JOB, ("acme", "alice"))
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless
    programs[0] = "print('{\"cpu_s\": 1}\\nfile', end='')"
    assert await queue.start_export(JOB, ("acme", "alice")) == b"file"


async def test_a_tenant_has_few_exports_at_a_time_and_the_others_are_not_refused(queue, programs):
    programs.append("while True: pass")
    waiting = [queue.start_export(JOB, ("acme", "alice")) for _ in range(OF_A_TENANT)]
    with pytest.raises(Busy):
        queue.start_export(JOB, ("acme", "bob"))
    other = queue.start_export(JOB, ("globex", "carol"))
    for each in (*waiting, other):
        each.cancel()


async def test_a_queue_that_closes_ends_what_runs(programs):
    programs.append("while True: pass")
    queue = Exports(Settings(), Turns())
    queue.start()
    running = queue.start_export(JOB, ("acme", "alice"))
    queue.close()
    with pytest.raises(Unavailable):
        await running


async def test_without_the_extra_there_is_no_export(queue, monkeypatch):
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    with pytest.raises(NotExportable, match=r"handful\[onnx\]"):
        queue.start_export(JOB, ("acme", "alice"))
