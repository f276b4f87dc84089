"""Why an answer: the examples that decided, and what counts in the input."""

import json

import pytest

from tests.e2e.test_texts import TICKETS

ANSWER_MS = 60_000


@pytest.mark.parametrize(
    ("kind", "heading", "part"),
    [
        ("Drawings", "Why snail and not", ".saliency .map"),
        ("Texts", "Why delivery and not", ".words mark.for"),
        ("Photos", "Why kiwi and not", ".saliency .map"),
        ("Tables", "Why stays and not leaves?", ".why .bars li"),
        ("Numbers", "Why this value?", ".deciding li"),
    ],
)
def test_an_answer_shows_the_examples_that_decided_and_what_counts(page, kind, heading, part):
    page.choose(kind).page.get_by_role("button", name="Try an example").click()
    page.page.get_by_role("heading", name=heading).wait_for(timeout=ANSWER_MS)
    assert page.page.locator(".deciding li").count() >= 2
    assert page.page.locator(part).count() >= 1


def test_words_are_marked_where_they_stand(page):
    page.choose("Texts")
    for text, label in TICKETS:
        page.teach_text(text, label)
    page.ask_text("🎉 The <b>courier</b> &amp; parcel never came ")
    assert page.page.locator(".words").inner_text().endswith("🎉 The <b>courier</b> &amp; parcel never came ")
    marked = page.page.locator(".words mark").all_inner_texts()
    assert [word.strip() for word in marked] == ["🎉", "The", "<b>courier</b>", "&amp;", "parcel", "never", "came"]
    assert page.page.locator(".words b").count() == 0


@pytest.mark.parametrize("code", ["invalid", "too_costly"])
def test_without_an_explanation_there_is_an_answer(page, code):
    def refuse(route):
        if '"explain":true' in route.request.post_data:
            problem = {"code": code, "detail": "explain: this is not explained.", "field": "explain"}
            route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(problem))
        else:
            route.continue_()

    page.expected = {422}
    page.page.route("**/predict", refuse)
    page.choose("Tables").page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict b", has_text="stays").wait_for()
    assert page.page.locator(".why").count() == 0
    assert page.page.locator(".problem:not(:empty)").count() == 0
