"""A fresh service for the walks."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

MODELS = "glyphs,texts,photos,tables"
START_S = 600


@contextmanager
def fresh_service(data: Path) -> Iterator[str]:
    """Run `handful serve` with an empty store on a free port. Yields its address once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"HANDFUL_PORT": str(port), "HANDFUL_STORE_DIR": str(data), "HANDFUL_SERVE": MODELS}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "service", "serve"], env=os.environ | settings, stdout=subprocess.DEVNULL
    ) as process:
        try:
            _wait(url := f"http://127.0.0.1:{port}", process)
            yield url
        finally:
            process.terminate()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the service did not become ready")
