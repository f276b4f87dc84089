"""A real server: the console script as a process of its own, over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

START_S = 180
HANDFUL = Path(sys.executable).parent / "handful"


class Server:
    """`handful serve`, or another command, on a free port, with its data in a folder that outlives it."""

    def __init__(self, data: Path, command: str = "serve", *, program: Path = HANDFUL, **settings: str) -> None:
        self._command = [program, command]
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
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        """Return once it is."""
        deadline = time.monotonic() + START_S
        while not self._ready():
            assert self._process.poll() is None, f"the server has ended:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self._log.read_text()}"
            time.sleep(0.1)

    def children(self) -> list[psutil.Process]:
        """The processes that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself: its status and what it said."""
        return self._process.wait(60), self._log.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
