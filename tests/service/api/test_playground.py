"""GET / serves the playground, if it is on."""

import gzip
import re

import pytest

from service.api.playground import FOLDER, names
from tests.service.serving import serving

LIMIT = 100_000
"""Bytes of the page as it is sent."""


def test_the_page_allows_scripts_styles_and_calls_of_its_own_origin_only(api):
    page = api.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[each] for each in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def test_every_file_that_a_file_names_is_served(api):
    for name in sorted(names()):
        file = api.get(f"/playground/{name}")
        assert file.status_code == 200, name
        if name.endswith(".js") and not name.startswith("vendor/"):
            for target in re.findall(r'(?:from|import\()\s*"(\.[^"]+)"', file.text):
                assert api.get(str(file.url.join(target).path)).status_code == 200, f"{name} imports {target}"
    for target in re.findall(r'(?:href|src)="(/playground/[^"]+)"', api.get("/").text):
        assert api.get(target).status_code == 200, target


@pytest.mark.parametrize("name", ["vendor/NOTICE", "../app.py", "..%2fapp.py", "%2e%2e/settings.py", "none.js", ""])
def test_nothing_else_is_served(api, name):
    assert api.get(f"/playground/{name}").status_code == 404


def test_the_page_weighs_less_than_100_kb_before_an_example_is_tried(api):
    sent = [name for name in names() if not name.startswith("samples/") and not name.endswith(".d.ts")]
    weights = [int(api.get(f"/playground/{name}").headers["content-length"]) for name in sent]
    assert sum(weights) < LIMIT, dict(zip(sent, weights, strict=True))


def test_a_file_is_packed_for_those_who_ask_and_sent_once(api):
    plain = api.get("/playground/handful.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == (FOLDER / "handful.js").read_bytes()
    packed = api.get("/playground/handful.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content, "httpx unpacks it"
    again = api.get("/playground/handful.js", headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, mtime=0))


def test_the_page_finds_its_files_behind_a_prefix(settings, worker):
    with serving(settings.model_copy(update={"root_path": "/handful"}), worker) as api:
        page = api.get("/handful").text
        assert 'src="/handful/playground/main.js"' in page
        assert api.get("/handful/playground/main.js").status_code == 200


def test_a_service_without_the_playground_has_nothing_there(settings, worker):
    with serving(settings.model_copy(update={"playground": False}), worker) as api:
        for path in ("/", "/playground/main.js"):
            assert api.get(path).status_code == 404
            assert api.get(path).json()["code"] == "http"
