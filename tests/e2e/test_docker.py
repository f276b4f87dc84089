"""The images and the compose files on a real Docker engine: `make test-docker`. Builds, so it takes minutes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import free_port

ROOT = Path(__file__).parents[2]
ADAPT, PREDICT = (json.loads((ROOT / f"examples/{name}.json").read_text()) for name in ("adapt", "predict"))
REPLICAS = (("api", "worker"), ("api-2", "worker-2"))
PARTS = [part for replica in REPLICAS for part in replica]
PORT = free_port()
URL = f"http://127.0.0.1:{PORT}"

pytestmark = [pytest.mark.docker]


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)


def compose(*arguments: str, **settings: str) -> str:
    files = ("--file", "docker-compose.yml", "--file", "docker/compose.scale.yml")
    project = ("docker", "compose", "--project-name", "handful-test", *files)
    done = run(*project, *arguments, **{"HANDFUL_PORT": str(PORT)} | settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def up() -> Iterator[None]:
    if run("docker", "version").returncode:
        pytest.skip("no Docker engine answers: start one, and run `make test-docker`")
    try:
        compose("up", "--build", "--detach", "--wait")
        yield
    finally:
        compose("down", "--volumes")


@pytest.fixture
def taught(up: None) -> Callable[[], list[str]]:
    """A client has adapted; called, it gives the labels of its queries."""
    httpx.post(f"{URL}/adapt", json=ADAPT, timeout=60).raise_for_status()
    return lambda: [
        each["label"] for each in httpx.post(f"{URL}/predict", json=PREDICT, timeout=60).json()["predictions"]
    ]


def test_a_client_is_taught_and_answered(taught):
    assert taught() == ["snail", "key"]


def test_the_image_of_the_api_has_no_torch(up):
    said = run("docker", "run", "--rm", "--entrypoint", "python", "handful-api", "-c", "import torch")
    assert "No module named 'torch'" in said.stderr


def test_the_worker_has_a_kernel_and_no_compiler(up):
    ask = "from models.native import build; print(build.library() is not None, build.compiler_path())"
    assert compose("exec", "--no-TTY", "worker", "python", "-c", ask).split() == ["True", "None"]


@pytest.mark.parametrize("part", PARTS)
def test_a_container_is_read_only_and_runs_without_root(up, part):
    ask = "import os; print(os.getuid(), os.access('/', os.W_OK), os.access('/opt/handful', os.W_OK))"
    assert compose("exec", "--no-TTY", part, "python", "-c", ask).split() == ["10001", "False", "False"]


def test_the_api_refuses_to_start_on_a_network_without_keys():
    said = run("docker", "run", "--rm", "--env", "HANDFUL_REDIS_URL=redis://nowhere", "handful-api")
    assert said.returncode == 2
    assert "HANDFUL_API_KEYS" in said.stderr


def test_a_rolling_restart_of_the_replicas_fails_no_request(taught):
    load = [sys.executable, "examples/steady.py", URL, "3600"]
    with subprocess.Popen(load, cwd=ROOT, stdout=subprocess.PIPE, text=True) as steady:
        for api, worker in REPLICAS:
            compose("stop", api)  # finishes its requests, and its worker has none left
            compose("up", "--detach", "--no-deps", "--force-recreate", "--wait", worker, api)
        steady.send_signal(signal.SIGINT)
        told, _ = steady.communicate()
    print(told)
    assert steady.returncode == 0, told
    assert taught() == ["snail", "key"]


@pytest.mark.parametrize("client", ["alice", "bob", "carol", "dave"])
def test_requests_with_the_header_of_a_client_go_to_one_replica(taught, client):
    counts = [replica_count(api) for api, _ in REPLICAS]
    for _ in range(6):
        httpx.get(f"{URL}/clients/nobody", headers={"x-client-id": client}, timeout=60)
    changes = [replica_count(api) - before for (api, _), before in zip(REPLICAS, counts, strict=True)]
    assert sorted(changes) == [0, 6]


def replica_count(api: str) -> int:
    """How many requests for /clients/{client_id} an API has answered."""
    ask = (
        "from urllib.request import urlopen; print(sum(float(line.split()[-1]) for line in "
        "urlopen('http://127.0.0.1:8000/metrics').read().decode().splitlines() "
        "if line.startswith('handful_http_requests_total') and '/clients/{' in line))"
    )
    return int(float(compose("exec", "--no-TTY", api, "python", "-c", ask)))


def test_clients_survive_a_restart_of_everything(taught):
    compose("down")
    compose("up", "--detach", "--wait")
    assert taught() == ["snail", "key"]
