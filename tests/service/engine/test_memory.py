"""A batch that does not fit into the memory of the device is halved; a job that does not fit alone is refused."""

import asyncio
import gc
import weakref

import numpy as np
import pytest
import torch

from service.engine import queues
from service.engine.device import Device
from service.engine.memory import peak_bytes, refusal
from service.engine.pieces import LargePredict
from service.errors import TooCostly
from service.settings import Settings
from tests.service.engine.test_worker import images, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio


class Small:
    """A device with memory for so many examples, which notes the batches that it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, memory: int) -> None:
        self.batches, self.queries = list[int](), list[int]()
        self.tensors: list[weakref.ref[torch.Tensor]] = []
        original = getattr(Device, name)

        def limited(device: Device, jobs: list) -> list:
            self.batches.append(len(jobs))
            self.queries += [len(job.queries) for job in jobs if name == "predict"]
            used = torch.zeros(1000)
            self.tensors.append(weakref.ref(used))
            if sum(len(job.support.inputs if name == "adapt" else job.queries) for job in jobs) > memory:
                raise torch.OutOfMemoryError("out of memory")
            return original(device, jobs)

        monkeypatch.setattr(Device, name, limited)


async def test_a_batch_that_does_not_fit_is_halved_and_every_job_is_answered(zoo, monkeypatch):
    small = Small(monkeypatch, "adapt", memory=8)
    with working(Settings(models=zoo)) as worker:
        states = await asyncio.gather(*(worker.adapt("glyphs", str(i), support(2, 2, i)) for i in range(9)))
    assert len(states) == 9
    assert max(small.batches) > 2
    assert min(small.batches) <= 2


async def test_a_piece_that_does_not_fit_is_halved(zoo, monkeypatch):
    small = Small(monkeypatch, "predict", memory=3)
    monkeypatch.setattr(queues, "LARGE_PREDICT_S", -1)
    with working(Settings(models=zoo)) as worker:
        await worker.adapt("glyphs", "alice", support(2, 1, 0))
        assert (await worker.predict("glyphs", "alice", images(10, 0))).shape == (10, 2)
    assert small.queries == [10, 5, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("large", [False, True])
async def test_a_job_that_does_not_fit_alone_is_refused_and_the_worker_goes_on(zoo, monkeypatch, large):
    small = Small(monkeypatch, "predict", memory=4)
    monkeypatch.setattr(queues, "LARGE_PREDICT_S", -1 if large else 1)
    monkeypatch.setattr(LargePredict, "shrink", lambda self: False)
    with working(Settings(models=zoo)) as worker:
        await worker.adapt("glyphs", "alice", support(2, 1, 0))
        asked = [worker.predict("glyphs", "alice", images(count, 0)) for count in (1, 5, 2)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [np.ndarray, TooCostly, np.ndarray]
        assert worker.alive()
    gc.collect()
    assert not any(tensor() is not None for tensor in small.tensors), "the failed batch keeps its memory"


def test_the_peak_is_the_most_memory_at_a_time():
    def run() -> None:
        for _ in range(3):
            held = torch.zeros(1000) + 1
            del held

    kept = torch.zeros(5000)
    assert 4000 <= peak_bytes(run, torch.device("cpu")) <= 8000
    assert peak_bytes(lambda: kept.view(50, 100).T, torch.device("cpu")) <= kept.nbytes


def test_only_a_lack_of_memory_is_refused():
    other = ValueError("no")
    assert refusal(other) is other
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")):
        assert isinstance(refusal(error), TooCostly)
