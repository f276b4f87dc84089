"""The lines to copy do what the page has just done; and a client is found again, undone, copied by its address."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.browser.playground import ROOT
from tests.e2e.test_texts import TICKETS

HOSTILE = 'it\'s "$(rm -rf x)" `id` \\ <b> \u2028 ü'

RUN = {
    "curl": lambda code: ["bash", "-c", code],
    "Python": lambda code: [sys.executable, "-c", code.replace("answer.json()", "answer.text")],
    "JavaScript": lambda code: ["node", "--input-type=module", "-e", code.replace("answer.json()", "answer.text()")],
}


@pytest.mark.parametrize("language", RUN)
@pytest.mark.parametrize("kind", ["Texts", "Photos"])
def test_the_lines_to_copy_run_as_they_are(visit, server, kind, language):
    if language == "JavaScript" and not shutil.which("node"):
        pytest.skip("needs Node")
    page = visit(server, permissions=["clipboard-read", "clipboard-write"]).choose(kind)
    page.page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict").wait_for()
    if kind == "Texts":
        page.ask_text(HOSTILE)
    answer = page.answer()
    panel = page.section("The same from your program")
    panel.get_by_role("radio", name=language).check(force=True)
    panel.get_by_role("button", name="Copy").click()
    panel.get_by_text("Copied.").wait_for()
    code = page.page.evaluate("navigator.clipboard.readText()")
    command = RUN[language](code)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    [given] = json.loads(done.stdout)["predictions"]
    assert ("unknown" if given.get("unknown") else given["label"]) == answer


def test_tests_from_csv_give_a_confusion_matrix(page):
    page.choose("Texts")
    for text, label in TICKETS:
        page.teach_text(text, label)
    quality = page.section("How good is it?")
    quality.get_by_role("button", name="Check its own examples").click()
    quality.get_by_text("of 6 examples right").wait_for()
    quality.get_by_text("Tests from CSV").click()
    queries = [("My parcel is late", "delivery"), ("Sign in fails", "account"), ("Pay me back", "refund")]
    lines = "\n".join(f"{text},{label}" for text, label in queries)
    quality.get_by_label("Paste or drop CSV").fill(f"text,label\n{lines}")
    quality.get_by_role("button", name="Keep 3 texts").click()
    quality.get_by_text("3 tests kept").wait_for()
    quality.get_by_role("button", name="Run the tests").click()
    matrix = quality.get_by_role("region", name="Confusion matrix of the tests")
    matrix.wait_for()
    cells = matrix.locator("tbody tr").all_inner_texts()
    assert sum(int(number) for row in cells for number in re.findall(r"\d+", row)) == 3
    quality.get_by_text("Tests from CSV").click()
    page.picture("quality", quality)


def test_a_reload_keeps_the_client_and_undo_goes_back(page):
    page.choose("Texts")
    for text, label in TICKETS[:4]:
        page.teach_text(text, label)
    page.page.reload()
    page.wait_for_examples(4)
    page.page.locator(".item", has_text=TICKETS[0][0]).click()
    page.page.get_by_label("Label of this example").fill("parcels")
    page.page.get_by_role("button", name="Relabel", exact=True).click()
    page.page.locator(".class-name", has_text="parcels").wait_for()
    assert page.classes() == ["delivery", "parcels", "refund"]
    page.page.locator(".item", has_text=TICKETS[1][0]).click()
    page.page.get_by_role("button", name="Remove", exact=True).click()
    page.wait_for_examples(3)
    undo = page.page.get_by_role("button", name="Undo")
    undo.click()
    page.wait_for_examples(4)
    undo.click()
    page.page.locator(".class-name", has_text="parcels").wait_for(state="detached")
    assert page.classes() == ["delivery", "refund"]
    undo.click()
    page.wait_for_examples(3)


def test_a_client_is_named_listed_opened_and_forgotten(page):
    page.expected = {404}
    press = lambda name: page.page.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    page.page.get_by_role("button", name="Client").click()
    page.page.get_by_label("Open or name a client").fill("my-signs")
    press("Open")
    page.page.get_by_role("button", name="Client my-signs").wait_for()
    press("Try an example: five signs")
    page.page.locator(".verdict").wait_for()
    page.page.get_by_role("button", name="Client").click()
    press("Begin a new one")
    page.page.locator(".examples").wait_for(state="detached")
    page.page.get_by_role("button", name="Client").click()
    press("my-signs")
    page.wait_for_examples(5)
    page.page.get_by_role("button", name="Client").click()
    press("Forget my-signs")
    page.page.locator(".examples").wait_for(state="detached")


def test_the_last_question_is_asked_again_after_a_lesson(page):
    page.choose("Texts")
    for text, label in TICKETS:
        page.teach_text(text, label)
    page.ask_text("Do you sell gift cards?")
    page.teach_text("Are there gift cards?", "gift cards")
    page.page.locator(".verdict b", has_text="gift cards").wait_for()


def test_a_server_that_is_gone_is_a_sentence(page):
    page.choose("Texts")
    page.page.route("**/adapt", lambda route: route.abort())
    page.section("Teach").get_by_label(re.compile("^Text")).first.fill("Hello")
    page.page.get_by_label("What is this text?").fill("greeting")
    page.page.keyboard.press("Enter")
    page.page.get_by_text("The server cannot be reached").wait_for()


def test_the_module_works_in_node_as_its_page_says(server):
    if not shutil.which("node"):
        pytest.skip("needs Node")
    [code] = re.findall(r"```js\n(.*?)```", (ROOT / "docs/playground.md").read_text(), re.DOTALL)
    code = code.replace("./handful.js", f"{ROOT.as_uri()}/service/playground/handful.js")
    code = code.replace("http://localhost:8000", server.url)
    command = ["node", "--input-type=module", "-e", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["delivery", "1"], done.stderr
