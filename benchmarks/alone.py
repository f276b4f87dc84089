"""The device worker without HTTP or queues: batches for its Device, and their time.

The models are those of benchmarks.services, except that MAML's learned head has a row for each of `MOST_WAYS`.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.peers.network import MAML, SPECS, save_weights
from benchmarks.services import drawings
from service.arrays import SupportSet
from service.engine.device import Device
from service.engine.jobs import Adapted, AdaptJob, PredictJob
from service.engine.learners import load
from service.process.serve import KEEP_MEMORY
from service.settings import Settings

MOST_WAYS = 64
PARTS = 4
WIDE = SPECS | {MAML: replace(SPECS[MAML], learner_options=SPECS[MAML].learner_options | {"outputs": MOST_WAYS})}


class Point(NamedTuple):
    """Jobs per second, and microseconds of processor time for each."""

    rate: float
    cpu_us: float


def become_worker(module: str) -> None:
    """Restart this process with the memory settings of a worker. glibc reads them only at the start."""
    if not KEEP_MEMORY.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], os.environ | KEEP_MEMORY)


@contextmanager
def device() -> Iterator[Device]:
    """A Device like that of a worker."""
    with TemporaryDirectory(prefix="handful-") as folder:
        save_weights(Path(folder), WIDE)
        settings = Settings(models=Path(folder))
        yield Device(load(list(WIDE), settings), settings, compiling=False)


def adapts(model: str, ways: int, shots: int, jobs: int) -> list[AdaptJob]:
    """A batch of clients, each with a support set of its own."""
    targets = np.arange(ways * shots) % ways
    inputs = [np.array(drawings(ways * shots, client), dtype=np.uint8)[:, None] for client in range(jobs)]
    return [AdaptJob(model, str(client), SupportSet(own, targets, ways)) for client, own in enumerate(inputs)]


def predicts(device: Device, model: str, ways: int, queries: int, jobs: int) -> list[PredictJob]:
    """A batch of clients, each with a state of its own."""
    adapted = device.adapt(adapts(model, ways, 1, jobs))
    inputs = np.array(drawings(queries, 0), dtype=np.uint8)[:, None]
    return [PredictJob(model, one.kept.state, inputs) for one in adapted if isinstance(one, Adapted)]


def measure(run: Callable[[], object], jobs: int, seconds: float) -> Point:
    """Measure a call of `jobs` jobs for about `seconds`, after a first call. Returns the best of several parts of that
    time, because other work of the machine can only make it slower."""
    run()
    return min((_measured(run, jobs, seconds / PARTS) for _ in range(PARTS)), key=lambda point: point.cpu_us)


def _measured(run: Callable[[], object], jobs: int, seconds: float) -> Point:
    began, began_cpu, done, elapsed = time.perf_counter(), time.process_time(), 0, 0.0
    while elapsed < seconds:
        run()
        done, elapsed = done + jobs, time.perf_counter() - began
    return Point(round(done / elapsed, 2), round((time.process_time() - began_cpu) / done * 1e6, 1))
