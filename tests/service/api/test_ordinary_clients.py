"""Ordinary clients and proxies: what they send is answered."""

import json
import re

import httpx
import pytest

from tests.service.drawings import letters
from tests.service.serving import serving
from tests.service.sockets import answers

BODY = json.dumps({"client_id": "alice", "support": letters("LV")}).encode()
JSON = {"content-type": "application/json"}


def test_a_json_body_may_begin_with_a_byte_order_mark(api):
    assert api.post("/adapt", content=b"\xef\xbb\xbf" + BODY, headers=JSON).status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "Identity", "IDENTITY"])
def test_the_identity_encoding_may_be_named(api, encoding):
    assert api.post("/adapt", content=BODY, headers=JSON | {"content-encoding": encoding}).status_code == 200


def test_a_transfer_encoding_besides_chunked_is_refused(api):
    head = b"POST /adapt HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n"
    assert answers(api, head + b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 415 ")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/models", "/models/glyphs", "/clients", "/docs"])
def test_head_is_answered_like_get_without_a_body(api, path):
    got, head = api.get(path), api.head(path)
    assert (head.status_code, head.headers["content-type"]) == (got.status_code, got.headers["content-type"])
    assert head.content == b""


def test_a_connection_stays_open_after_head(api):
    sent = (
        b"HEAD /models HTTP/1.1\r\nHost: here\r\n\r\nGET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    )
    head, _, rest = answers(api, sent).partition(b"\r\n\r\n")
    assert b"content-length: " in head
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/adapt/", "/adapt//"])
def test_a_slash_at_the_end_is_ignored(api, path):
    assert api.post(path, content=BODY, headers=JSON).status_code == 200
    assert api.get("/clients/").json()["clients"][0]["client_id"] == "alice"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/clients/alice", "DELETE, GET, HEAD"),
        ("/adapt", "POST"),
        ("/predict/", "POST"),
        ("/clients", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS"])
def test_the_answer_to_a_wrong_method_lists_the_allowed_ones(api, method, path, methods):
    refusal = api.request(method, path)
    assert (refusal.status_code, refusal.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("prefix", ["", "/handful/v1"], ids=["stripped by the proxy", "passed on"])
def test_the_api_is_served_under_a_path_prefix(settings, worker, redis, prefix):
    with serving(settings.model_copy(update={"root_path": "/handful/v1"}), worker) as api:
        assert api.post(f"{prefix}/adapt", content=BODY, headers=JSON).status_code == 200
        assert api.get(f"{prefix}/clients/alice/").status_code == 200
        assert api.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/handful/v1"}]
        for address in addresses(api.get(f"{prefix}/docs")):
            assert api.get(address).status_code == 200


def addresses(page: httpx.Response) -> list[str]:
    """What a page of documentation loads."""
    found = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
    assert len(found) == 4
    return found


def test_the_documentation_loads_nothing_from_elsewhere(api):
    for address in addresses(api.get("/docs")):
        assert address.startswith("/")
        assert api.get(address).status_code == 200
    assert "http" not in api.get("/docs").text.replace("http-equiv", "")
    assert api.get("/docs/LICENSE").status_code == 404
    assert api.get("/docs/..%2fauth.py").status_code == 404
