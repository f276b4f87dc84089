"""A real server: `handful serve` as a process of its own, over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

START_S = 600


class Server:
    """`handful serve`, or another command, on a free port, with its data in a folder that outlives it."""

    def __init__(
        self,
        data: Path,
        command: str = "serve",
        *,
        program: Path | None = None,
        cwd: Path | None = None,
        **settings: str,
    ) -> None:
        started = [sys.executable, "-P", "-m", "service"] if program is None else [program]
        self._command, self._cwd = [*started, command], cwd
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = data.parent / f"{data.name}.log"
        environment = {f"HANDFUL_{name.upper()}": value for name, value in settings.items()}
        self._environment = os.environ | {"HANDFUL_STORE_DIR": str(data), "HANDFUL_PORT": str(self.port)} | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it is ready."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, cwd=self._cwd, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        """Return once it is."""
        deadline = time.monotonic() + START_S
        while not self._ready():
            assert self._process.poll() is None, f"the server has ended:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self._log.read_text()}"
            time.sleep(0.1)

    def children(self) -> list[psutil.Process]:
        """All processes that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def apis(self) -> list[psutil.Process]:
        """Its API processes."""
        return [one for one in self.children() if runs(one, "multiprocessing.spawn")]

    def workers(self) -> list[psutil.Process]:
        """The workers. The forkserver forks them."""
        return [worker for one in self.forkservers() for worker in one.children()]

    def forkservers(self) -> list[psutil.Process]:
        """The forkserver of the workers."""
        direct = psutil.Process(self._process.pid).children()
        return [one for one in direct if runs(one, "multiprocessing.forkserver")]

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def end(self) -> tuple[int, str]:
        """Wait until it exits. Returns its exit status and its log."""
        return self._process.wait(60), self._log.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def runs(process: psutil.Process, module: str) -> bool:
    """Whether a process was started to run a module."""
    with suppress(psutil.NoSuchProcess):
        return any(module in argument for argument in process.cmdline())
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
