"""The audit log: who did what to which client, when, and nothing that was sent."""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings
from tests.service.api.test_admin import ask
from tests.service.api.test_keys import ADAPT, FORGET, LIST, LOOK, PREDICT, call, made
from tests.service.serving import serving


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def settings(zoo, redis_url, path) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, auth="keys", audit_log=str(path), wrong_keys=1000)


@pytest.fixture
def since(path) -> int:
    """The lines that other tests have written."""
    return len(path.read_text().splitlines())


def lines(path: Path, since: int) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()[since:]]


def test_changes_and_exports_are_written_and_reads_and_predicts_are_not(api, redis_url, path, since):
    key = made(redis_url)
    export = ("GET", "/clients/alice/export", None)
    for what in (ADAPT, PREDICT, LIST, LOOK, export, FORGET):
        assert call(api, what, key.secret).is_success
    written = lines(path, since)
    calls = ["POST /adapt", "GET /clients/{client_id}/export", "DELETE /clients/{client_id}"]
    assert [(each["call"], each["client"], each["status"]) for each in written] == [
        (name, "alice", status) for name, status in zip(calls, (200, 200, 204), strict=True)
    ]
    assert {(each["tenant"], each["key"], each["address"]) for each in written} == {("acme", key.key.id, "127.0.0.1")}
    assert datetime.fromisoformat(written[0]["at"]).tzinfo is not None


def test_refused_keys_are_written_without_the_key_and_requests_without_one_are_not(api, redis_url, path, since):
    reader = made(redis_url, scopes=("read",))
    for key in ("", "wrong-key-of-somebody", reader.secret):
        call(api, ADAPT, key)
    assert [(each["status"], each.get("key")) for each in lines(path, since)] == [(401, None), (403, reader.key.id)]


def test_no_input_label_or_key_is_written(api, redis_url, path):
    key = made(redis_url).secret
    body = {"client_id": "bob", "model": "waves", "support": [{"input": [0.123456], "label": 0.654321}]}
    call(api, ("POST", "/adapt", body), key)
    call(api, ADAPT, key)
    call(api, ("DELETE", "/clients/alice/classes/secret-label", None), key)
    text = path.read_text()
    for secret in ("0.123456", "0.654321", "secret-label", key, "iVBOR"):
        assert secret not in text


def test_acts_of_the_operator_name_their_target(api, redis_url, path, since):
    admin = made(redis_url, "ops", ("admin",)).secret
    new = ask(api, admin, "POST", "/keys", {"tenant": "acme"}).json()
    ask(api, admin, "PATCH", "/tenants/acme/quota", {"clients": 3})
    ask(api, admin, "DELETE", "/tenants/acme")
    assert [each["target"] for each in lines(path, since)] == [new["id"], "acme", "acme"]
    assert new["key"] not in path.read_text()


def test_commands_of_the_operator_are_written(redis_url, tmp_path):
    path = tmp_path / "audit.jsonl"
    where = {"HANDFUL_REDIS_URL": redis_url, "HANDFUL_AUDIT_LOG": str(path)}
    for command in ("keys create acme", "quotas set acme clients=3", "tenants delete acme --yes"):
        done = CliRunner().invoke(app, command.split(), env=where)
        assert done.exit_code == 0, done.output
    written = lines(path, 0)
    assert [each["call"] for each in written] == ["handful keys create", "handful quotas set", "handful tenants delete"]
    assert all(each["user"] for each in written)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_rotated_file_is_opened_again(api, redis_url, path):
    key = made(redis_url).secret
    os.replace(path, path.with_suffix(".1"))
    call(api, ADAPT, key).raise_for_status()
    assert [each["client"] for each in lines(path, 0)] == ["alice"]


def test_a_file_that_cannot_be_written_stops_the_start(zoo, redis_url, worker, tmp_path):
    settings = Settings(models=zoo, redis_url=redis_url, audit_log=str(tmp_path / "missing" / "audit.jsonl"))
    with pytest.raises(OSError, match="missing"), serving(settings, worker):
        pass
