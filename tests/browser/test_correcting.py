"""Wrong answers are corrected, unlabelled inputs are chosen for labels, and versions come back."""

import json
import re

import httpx
import pytest

from tests.browser.playground import ROOT
from tests.e2e.test_texts import TICKETS

PHOTOS = ROOT / "examples" / "photos"
POOL = ["I never got the parcel", "Please pay me back", "My login is broken", "Where are my shoes", "I forgot my pin"]
SEVERAL = [
    ("my card was charged twice and I am angry", "billing, complaint"),
    ("where is my invoice?", "billing"),
    ("this is the third time I call about it, I am fed up", "complaint"),
    ("can I pay by card?", "billing"),
    ("good morning", ""),
    ("have a nice day", ""),
]
ANSWER_MS = 60_000


def try_example(page, kind: str):
    """Press the button of the example of a kind, and wait for the answer."""
    page.choose(kind).page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict").wait_for(timeout=ANSWER_MS)
    return page.page


def test_a_wrong_answer_is_corrected_with_one_press(page):
    shown = try_example(page, "Texts")
    page.ask_text("Do you sell gift cards?")
    with shown.expect_request("**/feedback") as sent:
        shown.get_by_role("button", name="Teach it as refund").click()
    assert sent.value.post_data_json["label"] == "refund"
    shown.locator(".verdict b", has_text="refund").wait_for()
    page.wait_for_examples(7)
    page.picture("corrected", page.section("Ask"))


def test_a_question_that_the_server_did_not_keep_is_taught_by_its_input(visit, server):
    support = [{"input": text, "label": label} for text, label in TICKETS]
    body = {"client_id": "keeps-nothing", "model": "texts", "support": support}
    httpx.post(f"{server.url}/adapt", json=body, timeout=60).raise_for_status()
    page = visit(server, "/#keeps-nothing")
    page.ask_text("Do you sell gift cards?")
    page.page.get_by_label("The right answer is").fill("gift cards")
    page.page.get_by_role("button", name="Teach it", exact=True).click()
    page.page.locator(".verdict b", has_text="gift cards").wait_for()
    assert "gift cards" in page.classes()


def test_a_question_that_is_kept_no_longer_is_taught_by_its_input(page):
    shown = try_example(page, "Texts")
    problem = {"code": "unknown_prediction", "detail": "It is not kept."}
    shown.route(
        "**/feedback",
        lambda route: route.fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem)),
    )
    page.expected = {404}
    shown.get_by_role("button", name="Teach it as refund").click()
    page.wait_for_examples(7)


def suggest(page, noun: str, count: int):
    """Have inputs chosen. Returns the one to label."""
    page.section("Teach").get_by_role("button", name=f"Choose from {count} {noun}").click()
    page.page.locator(".next").wait_for()
    return page.page.locator(".next")


def open_pool(page):
    page.section("Teach").get_by_text("Many without labels").click()


def test_a_new_client_is_told_which_texts_to_label(page):
    page.choose("Texts")
    open_pool(page)
    page.page.get_by_label("Texts one a line").fill("\n".join([*POOL, POOL[0], " "]))
    answers = {"parcel": "delivery", "shoes": "delivery", "pay": "refund", "login": "account", "pin": "account"}
    first = suggest(page, "texts", len(POOL))
    for count in range(1, 4):
        [label] = {label for word, label in answers.items() if word in first.locator(".question").inner_text()}
        first.get_by_label("Label this one").fill(label)
        first.get_by_role("button", name="Teach", exact=True).click()
        page.wait_for_examples(count)
    first.get_by_role("button", name="Leave it out").click()
    first.get_by_text("The last one for now.").wait_for()
    page.picture("suggest", page.section("Teach"))
    first.get_by_role("button", name="Leave it out").click()
    first.wait_for(state="detached")
    assert page.count() == 3
    assert page.section("Teach").get_by_role("button", name="Choose from 0 texts").is_disabled()


def test_texts_without_labels_are_learned_from_and_one_gets_its_label(page):
    shown = try_example(page, "Texts")
    open_pool(page)
    shown.get_by_label("Texts one a line").fill("\n".join(POOL))
    learn = page.section("Teach").get_by_role("button", name="Learn from 5 texts without labels")
    learn.focus()
    with shown.expect_request("**/unlabelled") as sent:
        shown.keyboard.press("Enter")
    assert sent.value.post_data_json["inputs"] == POOL
    page.wait_for_examples(11)
    without = shown.get_by_role("group", name="Examples", exact=True)
    without.get_by_text("no label 5").wait_for()
    page.picture("unlabelled", page.section("What it knows"))
    without.get_by_role("button", name="no label").first.click()
    without.get_by_label("Label of this example").fill("delivery")
    without.get_by_role("button", name="Relabel", exact=True).click()
    without.get_by_text("no label 4").wait_for()
    shown.get_by_role("button", name="Undo").click()
    without.get_by_text("no label 5").wait_for()
    assert page.count() == 11


@pytest.mark.parametrize("kind", ["Texts", "Photos", "Tables"])
def test_a_new_client_cannot_learn_without_labels_yet(page, kind):
    page.choose(kind)
    open_pool(page)
    teach = page.section("Teach")
    teach.get_by_role("button", name="Choose from 0").wait_for()
    assert teach.get_by_role("button", name="without labels").count() == 0


def test_a_guess_about_a_dropped_photo_is_confirmed_with_one_press(page):
    try_example(page, "Photos")
    open_pool(page)
    files = [str(PHOTOS / f"{name}-3.jpg") for name in ("kiwi", "cucumber")]
    page.page.locator(".suggest input[type=file]").set_input_files(files)
    first = suggest(page, "photos", 2)
    guess = re.search(r"this for (.+),", first.inner_text())[1]
    first.get_by_role("button", name=f"Teach as {guess}", exact=True).click()
    page.wait_for_examples(9)


def test_rows_without_a_label_are_chosen_too(page):
    try_example(page, "Tables")
    open_pool(page)
    rows = "plan,age,seats,spend,trained,note\nfree,33,2,0,true,x\nteam,55,20,300,false,y"
    page.page.get_by_label("Rows without labels").fill(rows)
    first = suggest(page, "rows", 2)
    assert "note" not in first.inner_text(), "the examples have no such column"
    first.get_by_role("button", name="Teach as stays").click()
    page.wait_for_examples(21)
    first.get_by_role("button", name="Leave it out").click()
    first.wait_for(state="detached")


def test_a_number_is_answered_with_an_interval_and_corrected(page):
    shown = try_example(page, "Numbers")
    between = shown.locator(".range p").first.inner_text()
    low, high = (float(each) for each in re.findall(r"-?[\d.]+", between))
    assert low < float(shown.locator(".verdict b").inner_text()) < high
    shown.get_by_text("Right with a probability of 90").wait_for()
    shown.get_by_label("The right answer is").fill("-3")
    shown.get_by_role("button", name="Keep as a test").click()
    shown.get_by_role("button", name="Teach it", exact=True).click()
    page.wait_for_examples(6)
    shown.get_by_role("button", name="Run the tests").click()
    shown.get_by_text("mean error over 1 test").wait_for()


def test_without_examples_enough_for_an_interval_there_is_an_answer(page):
    def refuse(route):
        if '"interval"' in route.request.post_data:
            problem = {"code": "too_few_examples", "detail": "interval: 0.9 needs 9 examples."}
            route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(problem))
        else:
            route.continue_()

    page.expected = {409}
    page.page.route("**/predict", refuse)
    shown = try_example(page, "Numbers")
    assert shown.locator(".range").count() == 0
    assert shown.locator(".problem:not(:empty)").count() == 0


def test_a_text_has_several_labels_or_none(page):
    page.choose("Texts").page.get_by_label("A text may have several labels").check()
    for text, labels in SEVERAL:
        page.section("Teach").get_by_label(re.compile("^Text")).first.fill(text)
        page.teach(labels)
    assert page.classes() == ["billing", "complaint"]
    groups = page.page.locator(".group")
    assert [groups.nth(i).locator(".item").count() for i in range(3)] == [3, 2, 2]
    page.ask_text("the invoice is wrong again and I am angry!")
    assert page.answer() == "billing, complaint"
    page.picture("several", page.section("Ask"))
    page.ask_text("good evening")
    assert page.answer() == "no label"
    ask = page.section("Ask")
    ask.get_by_role("button", name="complaint").click()
    ask.get_by_role("button", name="Keep as a test").click()
    ask.get_by_role("button", name="Teach it", exact=True).click()
    page.wait_for_examples(7)
    quality = page.section("How good is it?")
    quality.get_by_role("button", name="Run the tests").click()
    quality.get_by_text("F1 over all labels").wait_for()
    page.page.locator(".item", has_text="where is my invoice?").click()
    page.page.locator(".edit").get_by_role("button", name="complaint").click()
    page.page.get_by_role("button", name="Relabel", exact=True).click()
    page.page.locator(".item", has_text="where is my invoice? → billing, complaint").first.wait_for()


def test_the_whole_confusion_matrix_of_its_own_examples(page):
    page.choose("Texts")
    for text, label in [*TICKETS, ("Pay me", "account")]:
        page.teach_text(text, label)
    quality = page.section("How good is it?")
    quality.get_by_role("button", name="Check its own examples").click()
    quality.locator(".confusion").wait_for()
    rows = [re.findall(r"\d+", row) for row in quality.locator(".confusion tbody tr").all_inner_texts()]
    assert [len(row) for row in rows] == [3, 3, 3]
    assert [sum(map(int, row)) for row in rows] == [3, 2, 2]
    assert quality.get_by_role("list", name="Mistakes").get_by_text("account is taken for").count() >= 1


@pytest.mark.parametrize("version", [1, 3])
def test_an_earlier_version_comes_back(page, version):
    page.choose("Texts")
    for text, label in TICKETS[:4]:
        page.teach_text(text, label)
    page.page.get_by_text("Versions", exact=True).click()
    page.page.get_by_role("button", name=f"Go back to version {version}").click()
    page.wait_for_examples(version)
    page.page.locator(".versions li", has_text=re.compile("^5.*gone back")).get_by_text("current").wait_for()
    page.page.get_by_role("button", name="Undo").click()
    page.wait_for_examples(4)
