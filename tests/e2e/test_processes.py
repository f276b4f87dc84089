"""`handful serve` as it runs: its processes are killed, and the service comes back with all that it acknowledged."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import numpy as np
import psutil
import pytest

from service.client import Handful, RefusedError
from tests.e2e.server import Server, free_port
from tests.service.redises import until
from tests.service.serving import url_of, valkey
from tests.service.zoo import make_zoo

RNG = np.random.default_rng(0)
DRAWINGS = [RNG.integers(0, 256, (28, 28)).tolist() for _ in range(4)]
EXAMPLES = [(drawing, f"class {i % 2}") for i, drawing in enumerate(DRAWINGS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = make_zoo(tmp_path_factory.mktemp("zoo"))
    server = Server(
        tmp_path_factory.mktemp("e2e") / "data", models=str(models), api_processes="2", worker_processes="2"
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def handful(server: Server) -> Iterator[Handful]:
    with Handful(server.url) as client:
        yield client


def processes(server: Server, command: str) -> list[psutil.Process]:
    return [one for one in server.children() if command in one.cmdline()]


def test_every_process_answers_for_every_client(server, handful):
    handful.adapt("alice", EXAMPLES, model="glyphs-maml")
    expected = handful.predict("alice", DRAWINGS)
    for _ in range(10):
        with Handful(server.url) as another:  # a connection of its own, and so perhaps another process
            assert another.predict("alice", DRAWINGS) == expected


@pytest.mark.parametrize("command", ["worker", "api"])
def test_when_any_process_is_killed_the_service_comes_back_with_all_that_it_knew(server, handful, command):
    handful.adapt("bob", EXAMPLES, model="glyphs-maml")
    expected = handful.predict("bob", DRAWINGS)
    for victim in processes(server, command):
        with suppress(psutil.NoSuchProcess):  # a fork has ended with its parent
            victim.kill()
        victim.wait(60)
    server.wait_until_ready()
    with Handful(server.url) as again:
        assert again.predict("bob", DRAWINGS) == expected
        assert again.adapt("bob", EXAMPLES)["version"] == 2
        again.forget("bob")


def test_when_what_works_is_killed_its_parent_has_another_without_a_start(server, handful):
    handful.adapt("erna", EXAMPLES, model="glyphs-maml")
    expected = handful.predict("erna", DRAWINGS)
    started = processes(server, "worker")
    parents, forks = ([one for one in started if (one.parent() in started) is fork] for fork in (False, True))
    assert len(parents) == len(forks) == 2
    for fork in forks:
        fork.kill()
        fork.wait(60)
    server.wait_until_ready()
    assert handful.predict("erna", DRAWINGS) == expected
    assert all(parent.is_running() for parent in parents)
    handful.forget("erna")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_started_again_it_knows_what_it_acknowledged(server, handful, how):
    handful.adapt("dora", EXAMPLES)
    expected = handful.predict("dora", DRAWINGS)
    server.stop(how)
    server.start()
    with Handful(server.url) as again:
        assert again.predict("dora", DRAWINGS) == expected


def test_metrics_are_those_of_all_processes(server, handful):
    before = counted(server)
    for _ in range(6):
        with Handful(server.url) as another:
            another.adapt("carol", EXAMPLES)
    assert counted(server) == before + 6
    assert 'handful_batch_size_count{queue="adapt"}' in httpx.get(f"{server.url}/metrics").text


def counted(server: Server) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    adapts = [line for line in lines if line.startswith("handful_http_requests_total") and "/adapt" in line]
    return sum(float(line.split()[-1]) for line in adapts)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_when_it_ends_it_leaves_no_process_behind(tmp_path, how):
    server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")))
    server.start()
    family = server.children()
    assert len(family) >= 2
    kept = [one for one in family if "valkey" in one.name()]
    server.stop(how)
    if how == signal.SIGKILL:  # a Valkey that was left alone is taken over by the next server
        [valkey] = kept
        family.remove(valkey)
        valkey.kill()
    assert not psutil.wait_procs(family, timeout=60)[1]


def answered(handful: Handful, client_id: str) -> list | None:
    """The answers, if it gives any."""
    with suppress(RefusedError):
        return handful.predict(client_id, DRAWINGS)


def test_api_and_workers_run_apart_over_tcp_with_a_secret(tmp_path):
    models, ports = str(make_zoo(tmp_path / "zoo")), [free_port(), free_port()]
    urls = [f"tcp://127.0.0.1:{port}" for port in ports]
    workers = [
        Server(tmp_path / f"worker-{i}", "worker", models=models, listen=url, worker_secret="known")
        for i, url in enumerate(urls)
    ]
    with ExitStack() as stack:
        redis_url = url_of(stack.enter_context(valkey()))
        for worker in workers:
            stack.callback(worker.stop)
            worker.launch()
        settings = {"models": models, "redis_url": redis_url, "worker_urls": json.dumps(urls)}
        api = Server(tmp_path / "api", "api", **settings, worker_secret="known")
        stack.callback(api.stop)
        api.start()
        with Handful(api.url) as handful:
            handful.adapt("alice", EXAMPLES, model="glyphs-maml")
            expected = handful.predict("alice", DRAWINGS)
            workers[0].stop(signal.SIGKILL)
            until(lambda: answered(handful, "alice") == expected)  # the other may be on its way yet
            workers[1].stop(signal.SIGKILL)
            until(lambda: httpx.get(f"{api.url}/readyz").status_code == 503)  # its fork ends as soon as it knows
            with pytest.raises(RefusedError) as refused:
                handful.predict("alice", DRAWINGS)
            assert (refused.value.status, refused.value.retry_after_s) == (503, 2)


@pytest.mark.parametrize(("command", "settings", "missing"), [
    ("worker", {"listen": "tcp://127.0.0.1:1"}, "HANDFUL_WORKER_SECRET"),
    ("worker", {"listen": "nowhere"}, "HANDFUL_LISTEN: Value error, a worker is at unix:///path or tcp://host:port"),
    ("api", {"worker_urls": '["http://one:1"]', "redis_url": "redis://h"}, "HANDFUL_WORKER_URLS[0]"),
    ("api", {"worker_urls": '["tcp://one:99999"]', "redis_url": "redis://h"}, "HANDFUL_WORKER_URLS[0]"),
    ("serve", {"redis_url": "http://nowhere"}, "redis://[user:password@]host:port/db"),
    ("serve", {"api_keys": '{"acme": "hush"}'}, "HANDFUL_API_KEYS[acme]"),
    ("api", {"redis_url": "redis://localhost"}, "HANDFUL_WORKER_URLS"),
    ("api", {"worker_urls": '["tcp://localhost:1"]'}, "HANDFUL_REDIS_URL"),
    ("api", {"redis_url": "http://nowhere", "worker_urls": '["unix:///nowhere"]'}, "redis+sentinel://"),
    ("serve", {"worker_processes": "0"}, "HANDFUL_WORKER_URLS"),
    ("serve", {"default_model": "nonsense"}, "nonsense"),
    ("serve", {"host": "0.0.0.0"}, "HANDFUL_API_KEYS"),
    ("api", {"host": "::", "worker_urls": '["tcp://h:1"]', "redis_url": "redis://h"}, "HANDFUL_API_KEYS"),
])  # fmt: skip
def test_a_setting_that_is_missing_is_named(tmp_path, command, settings, missing):
    server = Server(tmp_path / "data", command, models=str(make_zoo(tmp_path / "zoo")), **settings)
    server.launch()
    status, said = server.end()
    assert status == 2
    assert missing in said
    assert "hush" not in said


def test_what_cannot_start_says_why_and_ends(tmp_path):
    server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")), device="nonsense")
    with pytest.raises(AssertionError, match="nonsense"):
        server.start()
