"""What Lighthouse looks at: weight, layout shifts, labels, the head of the page, other hosts."""

import re

import pytest

LIMIT = 100_000
"""Bytes over the network, with headers, until the page can be used."""
SHIFT = 0.1
"""The layout shift up to which a page is good."""
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

RECEIVED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((each) => /\\/$|\\/playground\\//.test(new URL(each.name).pathname))
    .reduce((sum, each) => sum + each.transferSize, 0)"""

SHIFTED = """() => new Promise((found) => {
    let sum = 0;
    const add = (shifts) => shifts.forEach((each) => { sum += each.hadRecentInput ? 0 : each.value; });
    const observer = new PerformanceObserver((list) => add(list.getEntries()));
    observer.observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => { add(observer.takeRecords()); found(sum); }));
})"""

PAINTED = """() => new Promise((found) => {
    const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
    const wait = () => (paint() ? found(paint()) : setTimeout(wait, 50));
    wait();
})"""

UNNAMED = """() => [...document.querySelectorAll("a, button, input:not([hidden]), select, textarea, canvas, summary")]
    .filter((each) => {
        const labels = [...(each.labels ?? [])].map((label) => label.textContent);
        const own = /^(A|BUTTON|SUMMARY)$/.test(each.tagName) ? each.textContent : "";
        return ![...labels, own, each.getAttribute("aria-label") ?? ""].join("").trim();
    })
    .map((each) => each.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_the_page_is_light_and_does_not_jump(visit, server, options):
    """The fixture `visit` also fails the test if the console has an error or a warning."""
    page = visit(server, **options).page
    page.wait_for_load_state("networkidle")
    assert page.evaluate(PAINTED) > 0
    assert 0 < page.evaluate(RECEIVED) < LIMIT
    assert page.evaluate(SHIFTED) < SHIFT


@pytest.mark.parametrize("kind", ["Drawings", "Texts", "Photos", "Tables", "Numbers"])
def test_every_control_has_a_name(page, kind):
    assert page.choose(kind).page.evaluate(UNNAMED) == []


def test_the_head_says_what_the_page_is(page):
    head = page.page.locator("head")
    assert page.page.locator("html").get_attribute("lang") == "en"
    assert page.page.title().startswith("Handful")
    assert len(head.locator("meta[name=description]").get_attribute("content")) > 40
    viewport = head.locator("meta[name=viewport]").get_attribute("content")
    assert "width=device-width" in viewport
    assert not re.search("user-scalable|maximum-scale", viewport), "people may zoom"


def test_nothing_is_fetched_from_another_host(visit, server):
    page = visit(server)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.page.reload()
    page.choose("Texts").page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict").wait_for(timeout=60_000)
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((f"{server.url}/", "data:"))] == []
