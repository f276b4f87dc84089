"""handful keys, on the Redis of a service and on an embedded Valkey."""

import json

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.errors import UnknownKey


def run(*arguments: str, **environment: str):
    done = CliRunner().invoke(app, ["keys", *arguments], env=environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def where(redis_url, redis) -> dict[str, str]:
    redis.flushall()
    return {"HANDFUL_REDIS_URL": redis_url}


def test_a_key_is_printed_alone_and_listed_without_it(where):
    made = run("create", "acme", "--expires", "90d", "--scopes", "read,predict", **where)
    assert made.stdout.strip().startswith("hk_")
    assert "read, predict" in made.stderr
    (listed,) = json.loads(run("list", "--json", **where).stdout)
    assert (listed["tenant"], listed["scopes"], listed["last_used_at"]) == ("acme", ["read", "predict"], None)
    assert {"sha256", "key"}.isdisjoint(listed)
    assert listed["id"] in made.stdout
    assert listed["id"] in run("list", "acme", **where).stdout
    assert json.loads(run("list", "globex", "--json", **where).stdout) == []


def test_a_key_is_rotated_and_revoked_by_its_id(where):
    first = json.loads(run("create", "acme", "--json", **where).stdout)
    second = json.loads(run("rotate", first["id"], "--overlap", "1h", "--json", **where).stdout)
    assert second["replaces"] == first["id"]
    assert first["id"] in run("revoke", first["id"], **where).stdout
    with pytest.raises(UnknownKey):
        run("revoke", first["id"], **where)


@pytest.mark.parametrize("time", ["90", "d", "1w", "-1d", "1.5h"])
def test_a_time_without_a_unit_is_refused(where, time):
    with pytest.raises(ValueError, match="90d"):
        run("create", "acme", "--expires", time, **where)


def test_keys_can_be_made_before_the_service_starts(tmp_path):
    where = {"HANDFUL_STORE_DIR": str(tmp_path / "data")}
    made = run("create", "acme", **where).stdout
    (listed,) = json.loads(run("list", "--json", **where).stdout)
    assert listed["id"] in made
