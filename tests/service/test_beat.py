"""A container's healthcheck of the worker: what it takes for a beat."""

from types import SimpleNamespace

import pytest

from service import beat
from service.engine.listener import Listener

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(tmp_path) -> str:
    return f"unix://{tmp_path}/worker"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(beat, "PATIENCE_S", 0.3)


def listener(alive: bool = True) -> Listener:
    return Listener(SimpleNamespace(alive=lambda: alive), {"glyphs": "0123"}, "known")


async def test_a_worker_that_has_warmed_up_is_ready(url):
    worker = listener()
    async with await worker.listen(url):
        worker.set_ready()
        await beat.ready(url, "known")


async def test_one_that_warms_up_is_not(url):
    async with await listener().listen(url):
        with pytest.raises(TimeoutError):
            await beat.ready(url, "known")


async def test_one_whose_device_has_ended_is_not(url):
    worker = listener(alive=False)
    async with await worker.listen(url):
        worker.set_ready()
        with pytest.raises(TimeoutError):
            await beat.ready(url, "known")


async def test_to_a_stranger_nothing_is_said(url):
    worker = listener()
    async with await worker.listen(url):
        worker.set_ready()
        with pytest.raises(TimeoutError):
            await beat.ready(url, "unknown")


def test_the_command_says_where_it_has_looked(url, monkeypatch):
    monkeypatch.setenv("HANDFUL_LISTEN", url)
    with pytest.raises(SystemExit, match=url):
        beat.main()
