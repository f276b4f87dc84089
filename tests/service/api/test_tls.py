"""The API over TLS."""

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from service.api import http_protocol
from service.api.http_protocol import server_config
from service.process.serve import _address
from service.settings import Settings
from tests.service.redises import until
from tests.service.serving import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    return made_in(tmp_path_factory.mktemp("tls"))


def made_in(folder: Path) -> Path:
    """A folder with a new certificate that signs itself."""
    made = f"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {folder}/key -out {folder}/cert"
    names = ["-subj", "/CN=handful", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *made.split(), *names], check=True, capture_output=True)
    return folder


def test_the_api_speaks_tls_and_only_tls(zoo, redis_url, worker, folder):
    settings = Settings(models=zoo, redis_url=redis_url, tls_cert=folder / "cert", tls_key=folder / "key")
    trusted = ssl.create_default_context(cafile=str(folder / "cert"))
    with serving(settings, worker) as plain:
        address = f"https://127.0.0.1:{plain.base_url.port}"
        with httpx.Client(base_url=address, verify=trusted, timeout=60) as api:
            assert api.get("/clients").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/healthz")  # an unknown authority
        with pytest.raises(httpx.TransportError):
            plain.get("/healthz")


def test_a_renewed_certificate_is_used_without_a_restart(zoo, redis_url, worker, folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(http_protocol, "CHECK_S", 0)
    used = shutil.copytree(folder, tmp_path / "used")
    settings = Settings(models=zoo, redis_url=redis_url, tls_cert=used / "cert", tls_key=used / "key")
    old = ssl.create_default_context(cafile=str(used / "cert"))
    with serving(settings, worker) as plain:
        address = f"https://127.0.0.1:{plain.base_url.port}"
        with httpx.Client(base_url=address, verify=old, timeout=60) as open_before:
            assert open_before.get("/healthz").status_code == 200
            (used / "key").write_text("no key")
            until(lambda: "cannot be read" in caplog.text)
            assert httpx.get(f"{address}/healthz", verify=old).status_code == 200
            made_in(used)
            new = ssl.create_default_context(cafile=str(used / "cert"))
            until(lambda: trusted(address, new))
            assert not trusted(address, old)
            assert open_before.get("/healthz").status_code == 200


def trusted(address: str, context: ssl.SSLContext) -> bool:
    try:
        return httpx.get(f"{address}/healthz", verify=context).status_code == 200
    except httpx.ConnectError:
        return False


@pytest.mark.parametrize("one", ["tls_cert", "tls_key"])
def test_a_certificate_and_its_key_belong_together(one):
    with pytest.raises(ValidationError, match="belong together"):
        Settings(**{one: Path("file")})


def test_a_missing_certificate_stops_the_start(tmp_path):
    settings = Settings(tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    with pytest.raises(OSError, match="No such file"):
        server_config(lambda: None, settings).load()


def test_the_readiness_of_a_service_with_tls_is_asked_over_tls(folder):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = Settings(tls_cert=folder / "cert", tls_key=folder / "key")
        assert _address(listening, settings).startswith("https://127.0.0.1:")
        assert _address(listening, Settings()).startswith("http://127.0.0.1:")
