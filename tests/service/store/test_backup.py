"""Backup and restore, between one server and a Cluster of three masters."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings
from service.store import backup
from tests.service.redises import SLOTS, cluster, port_of, seen, url_of_cluster
from tests.service.serving import serving, url_of, valkey
from tests.service.store.backup_clients import CLIENTS, answers, keep_changing, teach

pytestmark = pytest.mark.anyio


def handful(*arguments: str, url: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments], env={"HANDFUL_REDIS_URL": url})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture(scope="module")
def saved(zoo, worker, nodes, tmp_path_factory) -> tuple[Path, list]:
    """A backup of a Cluster that was in use, and what its clients were answered."""
    file = tmp_path_factory.mktemp("backup") / "handful.backup"
    with seen(url := url_of_cluster(nodes)) as redis:
        redis.flushall()
        with serving(Settings(models=zoo, redis_url=url), worker) as http:
            teach(http)
            handful("quotas", "set", "acme", "clients=7", url=url)
            assert f"{CLIENTS} clients" in handful("backup", str(file), url=url)
            yield file, answers(http)
        redis.flushall()


def test_the_clients_are_on_all_masters(saved, nodes):
    counts = []
    for each in nodes:
        with Redis(port=port_of(each)) as one:
            counts.append(one.dbsize())
    assert all(counts)


def test_a_lost_cluster_is_restored_to_a_new_one(saved, zoo, worker, tmp_path):
    file, before = saved
    with cluster() as nodes:
        url = url_of_cluster(nodes)
        assert f"{CLIENTS} clients" in handful("restore", str(file), url=url)
        with serving(Settings(models=zoo, redis_url=url), worker) as http:
            assert answers(http) == before
            assert http.get("/usage").json()["stored"]["clients"] == CLIENTS
        assert "clients=7" in handful("quotas", "show", "acme", url=url)


def test_a_cluster_is_restored_to_one_server_and_back(saved, zoo, worker, tmp_path):
    file, before = saved
    with valkey() as server:
        url = url_of(server)
        handful("restore", str(file), url=url)
        with serving(Settings(models=zoo, redis_url=url), worker) as http:
            assert answers(http) == before
        handful("backup", str(again := tmp_path / "again"), url=url)
    with cluster() as others:
        assert f"{CLIENTS} clients" in handful("restore", str(again), url=url_of_cluster(others))
        with serving(Settings(models=zoo, redis_url=url_of_cluster(others)), worker) as http:
            assert answers(http) == before


def test_a_client_that_changes_meanwhile_is_saved_as_of_one_moment(zoo, worker, nodes, tmp_path):
    url, going = url_of_cluster(nodes), threading.Event()
    with serving(Settings(models=zoo, redis_url=url), worker) as http, ThreadPoolExecutor(1) as pool:
        changing = pool.submit(keep_changing, http, going)
        try:
            for number in range(3):
                handful("backup", str(tmp_path / str(number)), url=url)
        finally:
            going.set()
        assert changing.result() > 0
    for number in range(3):
        with valkey() as server:
            handful("restore", str(tmp_path / str(number)), url=url_of(server))
            with serving(Settings(models=zoo, redis_url=url_of(server)), worker) as http:
                answers(http)


def test_a_store_in_use_is_not_restored_over(saved, nodes):
    with pytest.raises(ValueError, match="in use"):
        handful("restore", str(saved[0]), url=url_of_cluster(nodes))


@pytest.mark.parametrize("cut", [1, 40, 4000])
def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(saved, tmp_path, cut):
    part = tmp_path / "part"
    part.write_bytes(saved[0].read_bytes()[:-cut])
    with valkey() as server, Redis.from_url(url_of(server)) as redis:
        with pytest.raises(ValueError, match="damaged"):
            handful("restore", str(part), url=url_of(server))
        assert redis.dbsize() == 0


def test_a_changed_byte_and_a_foreign_file_are_refused(saved, tmp_path):
    content = bytearray(saved[0].read_bytes())
    content[len(content) // 2] ^= 1
    (changed := tmp_path / "changed").write_bytes(content)
    (foreign := tmp_path / "foreign").write_bytes(b"REDIS0011")
    with valkey() as server:
        for file, said in ((changed, "damaged"), (foreign, "not a backup")):
            with pytest.raises(ValueError, match=said):
                handful("restore", str(file), url=url_of(server))


def test_an_existing_file_is_kept(saved, nodes):
    before = saved[0].read_bytes()
    with pytest.raises(ValueError, match="exists"):
        handful("backup", str(saved[0]), url=url_of_cluster(nodes))
    assert saved[0].read_bytes() == before


def test_only_its_owner_can_read_a_backup(saved):
    assert saved[0].stat().st_mode & 0o777 == 0o600


def test_a_backup_while_slots_move_is_refused(saved, nodes, tmp_path, monkeypatch):
    moves = iter([[(0, "one")], [(0, "another")]])

    async def slots(_):
        return next(moves)

    monkeypatch.setattr(backup, "_slots", slots)
    with pytest.raises(ValueError, match="moved"):
        handful("backup", str(tmp_path / "file"), url=url_of_cluster(nodes))
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_without_all_slots_is_refused(tmp_path):
    with cluster() as nodes, Redis(port=port_of(nodes[2])) as last:
        for each in nodes:
            with Redis(port=port_of(each)) as one:
                one.execute_command("CLUSTER DELSLOTS", SLOTS - 1)
        assert last.ping()
        with pytest.raises(ValueError, match="1 slots"):
            handful("backup", str(tmp_path / "file"), url=url_of_cluster(nodes))


def test_what_has_expired_is_not_restored(zoo, worker, tmp_path, monkeypatch):
    with valkey() as server, Redis.from_url(url_of(server)) as redis:
        redis.set("handful:{acme}:answers", "soon gone", px=60_000)
        redis.set("handful:{acme}:days", "kept")
        handful("backup", str(file := tmp_path / "file"), url=url_of(server))
    monkeypatch.setattr(backup.time, "time", lambda: 4e9)
    with valkey() as other, Redis.from_url(url_of(other)) as redis:
        handful("restore", str(file), url=url_of(other))
        assert redis.keys() == [b"handful:{acme}:days"]
