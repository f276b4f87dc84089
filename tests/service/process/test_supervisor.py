"""Child processes: restarts, failures and their end."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from service.process.serve import PRELOAD
from service.process.supervisor import Child, ChildFailed

pytestmark = pytest.mark.anyio

METHODS = ["spawn", "forkserver"]


def run(started: Path, status: int | None) -> None:
    """What the child does: write its process id, then exit or wait for a signal."""
    if status == 2:
        raise ValueError("no such device")
    started.with_suffix(".new").write_text(f"{os.getpid()} {sys.flags.safe_path}")
    started.with_suffix(".new").rename(started)
    if status is not None:
        sys.exit(status)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Event().wait()


async def next_start(started: Path) -> psutil.Process:
    """The child, once it runs."""
    async with asyncio.timeout(120):
        while not started.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)
    pid, safe_path = started.read_text().split()  # noqa: ASYNC240
    assert safe_path == "True"
    started.unlink()  # noqa: ASYNC240
    return psutil.Process(int(pid))


@asynccontextmanager
async def keeping(child: Child, ready: asyncio.Event) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(child.keep_running(ready))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await child.stop()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_killed_child_is_restarted(tmp_path, method, how):
    started = tmp_path / "started"
    async with keeping(Child("Child", method, __name__, started, None), asyncio.Event()):
        first = await next_start(started)
        first.send_signal(how)
        second = await next_start(started)
        assert first.pid != second.pid
    assert not second.is_running()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [0, 2, 3])
async def test_a_child_that_exits_before_the_service_is_ready_fails(tmp_path, method, status):
    async with keeping(Child("Child", method, __name__, tmp_path / "started", status), asyncio.Event()) as task:
        with pytest.raises(ChildFailed, match=f"Child exited with status {status}"):
            await asyncio.wait_for(task, 120)


async def test_a_child_that_exits_later_is_restarted(tmp_path):
    ready, started = asyncio.Event(), tmp_path / "started"
    ready.set()
    async with keeping(Child("Child", "spawn", __name__, started, 3), ready):
        assert (await next_start(started)).pid != (await next_start(started)).pid


def test_the_forkserver_imports_what_workers_import_late():
    pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
    code = f"import sys, {PRELOAD}; print('transformers.models.bert.modeling_bert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
