"""The playground in a real browser, on a real server: Debian's Chromium, driven by Playwright.

`make test-browser` runs these tests. With SCREENSHOTS=1 they write the pictures of docs/playground.md.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.browser.playground import Playground
from tests.e2e.server import Server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium. It ends with the tests of this folder, because Playwright keeps an event loop running."""
    if CHROMIUM is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CAMERA)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Server]:
    """One model of each kind."""
    data = tmp_path_factory.mktemp("playground") / "data"
    server = Server(data, serve="glyphs,texts,photos,tables,sinusoid", default_model="glyphs")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Playground]]:
    """Opens the page of a server. At the end, the browser must have nothing to complain of."""
    visits: list[Playground] = []

    def visit(server: Server, at: str = "/", expected: Iterable[int] = (), **options: Any) -> Playground:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | options)
        visits.append(Playground(context, server.url, expected))
        return visits[-1].open(at)

    yield visit
    for each in visits:
        each.context.close()
    assert [complaint for each in visits for complaint in each.complaints] == []


@pytest.fixture
def page(visit: Callable[..., Playground], server: Server) -> Playground:
    """The page, on a desk."""
    return visit(server)
