"""The processes of `handful serve`: their start, their end, and recovery when they are killed."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from handful import Handful, RefusedError
from service.process.serve import PRELOAD
from tests.e2e.server import Server, free_port, runs
from tests.service.redises import until
from tests.service.serving import url_of, valkey
from tests.service.zoo import make_zoo

RNG = np.random.default_rng(0)
DRAWINGS = [RNG.integers(0, 256, (28, 28)).tolist() for _ in range(4)]
EXAMPLES = [(drawing, f"class {i % 2}") for i, drawing in enumerate(DRAWINGS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two replicas of two API processes and one worker each."""
    models = make_zoo(tmp_path_factory.mktemp("zoo"))
    server = Server(tmp_path_factory.mktemp("e2e") / "data", models=str(models), replicas="2", api_processes="2")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def handful(server: Server) -> Iterator[Handful]:
    with Handful(server.url) as client:
        yield client


def test_every_process_of_every_replica_answers_for_every_client(server, handful):
    assert (len(server.apis()), len(server.workers())) == (4, 2)
    handful.adapt("alice", EXAMPLES, model="glyphs-maml")
    expected = handful.predict("alice", DRAWINGS)
    for _ in range(10):
        with Handful(server.url) as another:  # a new connection, which any process may accept
            assert another.predict("alice", DRAWINGS) == expected


def test_what_the_encoders_of_texts_need_is_not_imported_for_drawings(server):
    [forkserver] = server.forkservers()
    assert not runs(forkserver, PRELOAD)


VICTIMS = {"workers": Server.workers, "forkserver": Server.forkservers, "API processes": Server.apis}


@pytest.mark.parametrize("victims", VICTIMS)
def test_after_any_process_is_killed_the_service_recovers_and_knows_its_clients(server, handful, victims):
    handful.adapt("bob", EXAMPLES, model="glyphs-maml")
    expected = handful.predict("bob", DRAWINGS)
    workers = server.workers()
    for victim in VICTIMS[victims](server):
        victim.kill()
        victim.wait(60)
    if victims == "forkserver":
        assert not psutil.wait_procs(workers, timeout=60)[1], "workers without a forkserver go on"
    until(lambda: (len(server.apis()), len(server.workers())) == (4, 2))
    until(lambda: all(answered(server, "bob") == expected for _ in range(10)))
    with Handful(server.url) as again:
        assert again.adapt("bob", EXAMPLES)["version"] == 2
        again.forget("bob")


def answered(server: Server, client_id: str) -> list | None:
    """The answers over a new connection, if it gives any."""
    with suppress(RefusedError, httpx.TransportError), Handful(server.url) as another:
        return another.predict(client_id, DRAWINGS)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_acknowledged_clients_survive_a_restart(server, handful, how):
    handful.adapt("dora", EXAMPLES)
    expected = handful.predict("dora", DRAWINGS)
    server.stop(how)
    server.start()
    with Handful(server.url) as again:
        assert again.predict("dora", DRAWINGS) == expected


def test_metrics_cover_all_processes(server, handful):
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
def test_no_process_outlives_it(tmp_path, how):
    server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")))
    server.start()
    family = server.children()
    assert len(family) >= 2
    kept = [one for one in family if "valkey" in one.name()]
    server.stop(how)
    if how == signal.SIGKILL:  # the next server takes over a Valkey that was left
        [valkey] = kept
        family.remove(valkey)
        valkey.kill()
    assert not psutil.wait_procs(family, timeout=60)[1]


def test_api_and_worker_run_apart_with_one_socket(tmp_path):
    settings = {"models": str(make_zoo(tmp_path / "zoo")), "worker_socket": str(tmp_path / "run" / "worker")}
    with ExitStack() as stack:
        redis_url = url_of(stack.enter_context(valkey()))
        worker = Server(tmp_path / "worker", "worker", **settings)
        stack.callback(worker.stop)
        worker.launch()
        api = Server(tmp_path / "api", "api", redis_url=redis_url, **settings)
        stack.callback(api.stop)
        api.start()
        with Handful(api.url) as handful:
            handful.adapt("alice", EXAMPLES, model="glyphs-maml")
            expected = handful.predict("alice", DRAWINGS)
            worker.stop(signal.SIGKILL)
            until(lambda: httpx.get(f"{api.url}/readyz", timeout=30, trust_env=False).status_code == 503)
            worker.launch()
            api.wait_until_ready()
            assert handful.predict("alice", DRAWINGS) == expected


def test_files_in_the_current_folder_never_run_in_place_of_ours(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for name in ("service", "models", "torch"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    server = Server(tmp_path / "data", cwd=here, models=str(make_zoo(tmp_path / "zoo")))
    server.start()
    server.stop()
    assert not (tmp_path / "ran").exists()


def test_it_becomes_ready_where_a_proxy_is_configured(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")))
    server.start()
    until(lambda: "Handful is ready" in server.log())
    server.workers()[0].kill()  # before it is ready it would end
    until(lambda: server.log().count("the worker is ready") == 2)
    server.stop()


def test_it_starts_where_the_path_of_the_temporary_folder_is_long(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with valkey() as store:
        monkeypatch.setenv("TMPDIR", str(folder))
        server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")), redis_url=url_of(store))
        server.start()
        server.stop()


def test_a_start_removes_the_folders_that_a_killed_process_left(tmp_path, monkeypatch):
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="h-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    with valkey() as store:
        server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")), redis_url=url_of(store))
        for how in (signal.SIGKILL, signal.SIGTERM):
            server.start()
            assert len(list(folder.glob("handful-run-*"))) == 1
            server.stop(how)
    assert list(folder.glob("handful-run-*")) == []
    assert list(folder.glob("pymp-*")) == []
    shutil.rmtree(folder)


@pytest.mark.parametrize(("command", "settings", "missing"), [
    ("worker", {"worker_socket": f"/tmp/{'long' * 30}/worker"}, "HANDFUL_WORKER_SOCKET: Value error, the path of a"),
    ("serve", {"redis_url": "http://nowhere"}, "redis://[user:password@]host:port/db"),
    ("serve", {"api_keys": '{"acme": "hush"}'}, "HANDFUL_API_KEYS: "),
    ("api", {}, "HANDFUL_REDIS_URL"),
    ("api", {"redis_url": "http://nowhere"}, "redis+sentinel://"),
    ("serve", {"replicas": "0"}, "HANDFUL_REPLICAS"),
    ("serve", {"default_model": "nonsense"}, "nonsense"),
    ("serve", {"host": "0.0.0.0"}, "HANDFUL_API_KEYS"),
    ("api", {"host": "::", "redis_url": "redis://h"}, "HANDFUL_API_KEYS"),
])  # fmt: skip
def test_a_wrong_or_missing_setting_is_named(tmp_path, command, settings, missing):
    server = Server(tmp_path / "data", command, models=str(make_zoo(tmp_path / "zoo")), **settings)
    server.launch()
    status, said = server.end()
    assert status == 2
    assert missing in said
    assert "hush" not in said


def test_a_worker_that_cannot_start_says_why_and_ends_the_service(tmp_path):
    server = Server(tmp_path / "data", models=str(make_zoo(tmp_path / "zoo")), device="nonsense")
    with pytest.raises(AssertionError, match="nonsense"):
        server.start()
