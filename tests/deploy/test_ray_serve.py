"""Two replicas under Ray Serve on loopback."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from handful import Handful, RefusedError
from tests.e2e.server import free_port
from tests.service.redises import until
from tests.service.serving import url_of, valkey
from tests.service.zoo import make_zoo

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handful[ray]'")

START_S = 240
RNG = np.random.default_rng(0)
DRAWINGS = [RNG.integers(0, 256, (28, 28)).tolist() for _ in range(4)]
EXAMPLES = [(drawing, f"class {i % 2}") for i, drawing in enumerate(DRAWINGS)]

PROGRAM = """
import sys
import ray
from ray import serve
from deploy.ray_serve import app

ray.init(num_cpus=2, include_dashboard=False, _temp_dir=sys.argv[2])
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
serve.run(app)
print("running", flush=True)
sys.stdin.read()
serve.shutdown()
ray.shutdown()
"""


@contextmanager
def ray_serve(folder: Path, **settings: str) -> Iterator[tuple[str, psutil.Process]]:
    """The URL of the application, and the process that has started Ray."""
    port = free_port()
    environment = os.environ | {f"HANDFUL_{name.upper()}": value for name, value in settings.items()}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    environment["RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S"] = str(START_S)  # by default a busy machine is too slow
    session = Path(f"/tmp/handful-ray-{port}")  # a short path, because Ray has sockets in it
    command = [sys.executable, "-c", PROGRAM, str(port), str(session)]
    with (folder / "ray.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
    family = psutil.Process(process.pid)
    try:
        yield f"http://127.0.0.1:{port}", family
    finally:
        children = family.children(recursive=True)
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        for one in psutil.wait_procs([family, *children], timeout=20)[1]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        shutil.rmtree(session, ignore_errors=True)


def ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", timeout=30, trust_env=False).status_code == 200
    return False


def replicas(ray: psutil.Process) -> list[psutil.Process]:
    return [one for one in ray.children(recursive=True) if "ServeReplica" in " ".join(safe_cmdline(one))]


def safe_cmdline(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def test_a_killed_replica_loses_no_client(tmp_path):
    models = str(make_zoo(tmp_path / "zoo"))
    with valkey() as store, ray_serve(tmp_path, models=models, redis_url=url_of(store), replicas="2") as (url, ray):
        wait(lambda: ready(url), tmp_path)
        wait(lambda: len(replicas(ray)) == 2, tmp_path)
        with Handful(url) as handful:
            handful.adapt("alice", EXAMPLES, model="glyphs-maml")
            expected = handful.predict("alice", DRAWINGS)
        victim = replicas(ray)[0]
        children = victim.children(recursive=True)
        assert children, "the replica has no worker"
        victim.kill()
        assert not psutil.wait_procs(children, timeout=60)[1], "a worker outlived its replica"
        until(lambda: answered(url) == expected)
        wait(lambda: len(replicas(ray)) == 2, tmp_path)
        until(lambda: all(answered(url) == expected for _ in range(10)))


def answered(url: str) -> list | None:
    with suppress(RefusedError, httpx.TransportError), Handful(url) as handful:
        return handful.predict("alice", DRAWINGS)


def wait(true, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < deadline, (folder / "ray.log").read_text()[-5000:]
        time.sleep(0.2)
