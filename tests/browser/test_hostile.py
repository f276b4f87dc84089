"""What clients and servers send is text to the page, whatever it holds."""

import hashlib

import httpx
import pytest

from tests.e2e.server import Server

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "' onfocus=alert(3) autofocus='",
    "javascript:alert(4)",
    "${alert(5)} {{alert(6)}}",
    "</textarea></style><svg onload=alert(7)>",
    "\u202egnp.exe",
    "__proto__",
    "a/b?c#d%2e",
]
TEXTS = ["<b>bold</b> parcel", "&lt;refund&gt; \"quotes\" 'single'", "$(touch /tmp/x) `id` \\ password"]


@pytest.fixture
def hostile(server):
    """A client whose labels and texts are markup, scripts and shell commands."""
    examples = [{"input": f"{text} {label}", "label": label} for label in HOSTILE for text in TEXTS]
    body = {"client_id": "hostile", "model": "texts", "support": examples}
    httpx.post(f"{server.url}/adapt", json=body, timeout=60).raise_for_status()
    return "hostile"


def test_hostile_labels_and_texts_are_shown_as_they_are(visit, server, hostile):
    page = visit(server, f"/#{hostile}")
    page.wait_for_examples(len(HOSTILE) * len(TEXTS))
    assert page.classes() == sorted(HOSTILE)
    assert page.ask_text(f"{TEXTS[0]} {HOSTILE[0]}") in [*HOSTILE, "unknown"]
    page.page.get_by_role("button", name="Keep as a test").click()
    page.page.get_by_role("button", name="Check its own examples").click()
    page.page.locator(".quality .score").wait_for()
    page.page.get_by_role("button", name="Run the tests").click()
    page.page.locator(".confusion").nth(1).wait_for()  # of its own examples, and of the tests
    assert page.page.locator("main :is(script, img, svg, b b, style)").count() == 0
    assert page.page.evaluate("window.name + typeof {}.polluted") == "undefined"


def test_a_hostile_label_is_taught_renamed_and_removed(visit, server):
    page = visit(server).choose("Texts")
    page.teach_text("Where is my parcel?", HOSTILE[0])
    page.teach_text("I want my money back", HOSTILE[1])
    page.page.get_by_role("button", name=HOSTILE[0]).and_(page.page.locator(".class-name")).click()
    page.page.get_by_label("Name of this class").fill(HOSTILE[8])
    page.page.get_by_role("button", name="Rename", exact=True).click()
    page.page.locator(".class-name", has_text=HOSTILE[8]).click()
    page.page.get_by_role("button", name="Remove the class").click()
    page.wait_for_examples(1)
    assert page.classes() == [HOSTILE[1]]


@pytest.mark.parametrize("label", ["..", ".", "a/"])
def test_removing_a_class_whose_label_is_a_path_removes_nothing_else(visit, server, label):
    page = visit(server).choose("Texts")
    for text, name in (("Where is my parcel?", label), ("I want my money back", "a"), ("Hello", label)):
        page.teach_text(text, name)
    page.page.locator(".class-name").filter(has=page.page.get_by_text(label, exact=True)).click()
    page.page.get_by_role("button", name="Remove the class").click()
    page.wait_for_examples(1)
    assert page.classes() == ["a"]


def test_a_script_in_the_address_is_a_name_that_is_refused(visit, server):
    page = visit(server, "/#%3Cimg%20src=x%20onerror=alert(1)%3E", expected=[422])
    page.page.locator(".problem").filter(has_text="client_id").first.wait_for()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, browser):
    """A server that asks for a key."""
    keys = f'{{"shop": "{hashlib.sha256(b"open sesame").hexdigest()}"}}'
    data = tmp_path_factory.mktemp("guarded") / "data"
    server = Server(data, serve="tables", default_model="tables", api_keys=keys)
    server.start()
    yield server
    server.stop()


def test_a_key_is_asked_for_once_and_kept_in_memory_alone(visit, guarded):
    page = visit(guarded, expected=[401])
    page.page.get_by_role("button", name="Try an example").click()
    dialog = page.page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key").fill("a guess")
    dialog.get_by_role("button", name="Use it").click()
    dialog.get_by_text("The server refused this key.").wait_for()
    dialog.get_by_label("Key").fill("open sesame")
    dialog.get_by_role("button", name="Use it").click()
    page.page.locator(".verdict b", has_text="stays").wait_for()
    assert not dialog.is_visible()
    for kept in ("JSON.stringify(localStorage)", "JSON.stringify(sessionStorage)", "document.cookie", "location.href"):
        assert "sesame" not in page.page.evaluate(kept)
    assert "sesame" not in page.page.content()
    assert "$HANDFUL_KEY" in page.page.locator("pre").inner_text()


def test_without_a_key_the_refusal_is_shown(visit, guarded):
    page = visit(guarded, expected=[401])
    page.page.get_by_role("button", name="Try an example").click()
    page.page.get_by_role("button", name="Cancel").click()
    page.page.get_by_text("Send a known key").wait_for()
