"""The API over TLS."""

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from service.api.http_protocol import server_config
from service.process.serve import _address
from service.settings import Settings
from tests.service.serving import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    folder = tmp_path_factory.mktemp("tls")
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
