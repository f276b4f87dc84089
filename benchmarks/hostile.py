"""The costs of hostile requests for an API process: its memory, and how long its event loop is blocked.

python -m benchmarks.hostile; starts a service of its own, and prints a table. The attacks are those of the fuzz tests.
A probe of /healthz measures the event loop. The longest wait includes the time of the probe itself, which the first row
shows.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server
from tempfile import TemporaryDirectory
from threading import Event, Thread

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from tests.fuzz.attacks import ATTACKS, Attack
from tests.service.sockets import Address

QUIET_S = 2.0
MB = 2**20


class Probe:
    """Repeats GET /healthz, and records the longest wait and the most memory."""

    def __init__(self, address: Address, process: psutil.Process) -> None:
        self._url, self._process, self._stop = f"http://{address[0]}:{address[1]}/healthz", process, Event()
        self.longest_s, self.most_bytes = 0.0, 0
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=120, trust_env=False) as client:
            while not self._stop.is_set():
                started = time.perf_counter()
                client.get(self._url)
                self.longest_s = max(self.longest_s, time.perf_counter() - started)
                self.most_bytes = max(self.most_bytes, self._process.memory_info().rss)
                self._stop.wait(0.005)


def main() -> None:
    """Run every attack against one service."""
    table = Table("attack", "seconds", "MB before", "MB at most", "MB after", "longest wait, ms")
    with service() as address:
        process = api_process(address)
        table.add_row("none", *measured(lambda _: time.sleep(QUIET_S), address, process))
        for name, prepare in ATTACKS.items():
            table.add_row(name, *measured(prepare(), address, process))
    Console().print(table)


def measured(attack: Attack, address: Address, process: psutil.Process) -> list[str]:
    """A row of the table."""
    before, started = process.memory_info().rss, time.perf_counter()
    with Probe(address, process) as probe:
        attack(address)
        seconds = time.perf_counter() - started
        time.sleep(1)
    sizes = (before, probe.most_bytes, process.memory_info().rss)
    return [f"{seconds:.1f}", *(str(size // MB) for size in sizes), f"{probe.longest_s * 1000:.0f}"]


@contextmanager
def service() -> Iterator[Address]:
    """`handful serve` on a free port."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        environment = os.environ | {"HANDFUL_PORT": str(port), "HANDFUL_STORE_DIR": folder}
        running = subprocess.Popen([sys.executable, "-m", "service", "serve"], env=environment)
        try:
            asyncio.run(until_ready(port, running))
            yield "127.0.0.1", port
        finally:
            running.terminate()
            running.wait()


async def until_ready(port: int, running: subprocess.Popen[bytes]) -> None:
    """Wait for /readyz. Raises RuntimeError if the service ends before."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        while running.poll() is None:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.2)
    raise RuntimeError("the service has ended")


def api_process(address: Address) -> psutil.Process:
    """The process that speaks HTTP: the newest of those that have the listening socket."""
    listening = {each.pid for each in psutil.net_connections("tcp") if each.pid and each.laddr == address}
    return max(map(psutil.Process, listening), key=psutil.Process.create_time)


if __name__ == "__main__":
    main()
