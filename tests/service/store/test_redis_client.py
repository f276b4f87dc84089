"""The forms of a URL. Its contents appear in no message."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from service.errors import Unavailable
from service.store.connect import connect
from service.store.store import Store
from tests.service.redises import node, port_of
from tests.service.relays import speaking_tls
from tests.service.supports import ALICE, draft

pytestmark = pytest.mark.anyio

SECRET = "hunter2@/%"
QUOTED = "hunter2%40%2F%25"


@asynccontextmanager
async def store_at(url: str) -> AsyncIterator[Store]:
    store = Store(url, timeout_s=20, state_ttl_s=1000)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(scope="module")
def guarded():
    """The host and port of a Redis that asks for a password."""
    with node() as server, Redis(port=port_of(server)) as redis:
        redis.config_set("requirepass", SECRET)
        yield f"127.0.0.1:{port_of(server)}"


async def test_a_password_is_sent(guarded):
    async with store_at(f"redis://:{QUOTED}@{guarded}") as store:
        assert (await store.commit(ALICE, draft())) == await store.record(ALICE)


@pytest.mark.parametrize("user", ["", ":hunter3@", "hunter2:hunter3@"])
async def test_a_refused_password_is_not_shown(guarded, user, caplog):
    async with store_at(f"redis://{user}{guarded}") as store:
        with pytest.raises(Unavailable) as refused:
            await store.record(ALICE)
    assert "Authentication" in caplog.text
    assert "hunter" not in caplog.text + refused.value.detail + repr(store)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, ssl.SSLContext]:
    """A file that vouches for 127.0.0.1, and the context of a server that shows it."""
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    folder = tmp_path_factory.mktemp("tls")
    names = "/CN=handful", "subjectAltName=IP:127.0.0.1"
    made = f"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {folder}/key -out {folder}/ca"
    command = ["openssl", "req", "-x509", *made.split(), "-subj", names[0], "-addext", names[1]]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca", folder / "key")
    return folder / "ca", context


async def test_tls_accepts_a_certificate_of_the_given_authority(redis_url, certificate):
    authority, context = certificate
    async with (
        speaking_tls(redis_url, context) as port,
        store_at(f"rediss://127.0.0.1:{port}?ssl_ca_certs={authority}") as store,
    ):
        assert (await store.commit(ALICE, draft())) == await store.record(ALICE)


async def test_tls_refuses_a_certificate_of_an_unknown_authority(redis_url, certificate):
    _, context = certificate
    async with speaking_tls(redis_url, context) as port, store_at(f"rediss://127.0.0.1:{port}") as store:
        with pytest.raises(Unavailable):
            await store.record(ALICE)


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "http://:hunter2@redis",
        "redis://:hunter2/@redis:6379",
        "redis://:hunter2@redis?nonsense=hunter2",
        "redis://:hunter2@redis?socket_timeout=hunter2",
        "redis+nothing://:hunter2@redis",
        "redis+sentinel://:hunter2@one:26379,two:26379",
        "redis+sentinel://:hunter2@one:26379/main?ssl_ca_certs=hunter2",
        "redis+cluster://:hunter2@",
        "redis+cluster://:hunter2@one:port",
        "redis+cluster://:hunter2@one/1",
        "redis+cluster://:hunter2@one?nonsense=hunter2",
        "unix+cluster:///hunter2",
    ],
)
def test_an_invalid_url_is_refused_and_not_shown(url):
    with pytest.raises(ValueError, match="HANDFUL_REDIS_URL") as refused:
        connect(url, timeout_s=1)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__


async def test_a_cluster_url_lists_some_nodes():
    client = connect(f"rediss+cluster://me:{QUOTED}@one:7001,[::1]?ssl_ca_certs=/ca", timeout_s=3)
    assert [(each.host, each.port) for each in client.startup_nodes] == [("one", 7001), ("::1", 6379)]
    given = client.connection_kwargs
    assert (given["username"], given["password"], given["ssl_ca_certs"]) == ("me", SECRET, "/ca")
    assert (given["socket_timeout"], given["socket_connect_timeout"]) == (3, 3)
    assert given["connection_class"].__name__ == "SSLConnection"


async def test_a_sentinel_url_may_have_a_password_for_the_sentinels():
    url = f"rediss+sentinel://me:{QUOTED}@one,two:7002/main?db=2&sentinel_password=theirs&ssl_ca_certs=/ca"
    pool = connect(url, timeout_s=3).connection_pool
    given, sentinels = pool.connection_kwargs, pool.sentinel_manager.sentinels
    assert (pool.service_name, given["db"]) == ("main", 2)
    assert (given["username"], given["password"], given["ssl_ca_certs"]) == ("me", SECRET, "/ca")
    theirs = [each.connection_pool.connection_kwargs for each in sentinels]
    assert [(each["host"], each["port"]) for each in theirs] == [("one", 26379), ("two", 7002)]
    assert [(each["password"], each["ssl_ca_certs"], each["socket_timeout"]) for each in theirs] == [
        ("theirs", "/ca", 3)
    ] * 2
