"""A newcomer teaches and asks: drawings, texts, a table, photos, numbers."""

import re

import pytest

from tests.browser.playground import ROOT, SIGNS
from tests.e2e.test_texts import TICKETS

PHOTOS = ROOT / "examples" / "photos"
ANSWER_MS = 60_000


@pytest.mark.parametrize("asked", ["stairs", "eye"])
def test_five_signs_are_drawn_and_a_sixth_drawing_is_recognised(page, asked):
    for name, strokes in SIGNS.items():
        page.draw("Draw an example", strokes)
        page.teach(name)
    assert page.classes() == sorted(SIGNS)
    page.draw("Draw a question", SIGNS[asked], shift=0.04)
    page.page.locator(".verdict b", has_text=asked).wait_for()
    page.picture("drawings")
    shares = page.page.locator(".answer .bars").first.locator("li").all_inner_texts()
    assert len(shares) == 5
    assert shares[0].startswith(asked)


def test_six_texts_are_typed_and_a_seventh_is_sorted(page):
    page.choose("Texts")
    for text, label in TICKETS:
        page.teach_text(text, label)
    assert page.classes() == ["account", "delivery", "refund"]
    assert page.ask_text("The courier never came") == "delivery"
    assert page.ask_text("I forgot my password") == "account"
    page.picture("texts")


@pytest.mark.parametrize(
    ("kind", "label", "classes"),
    [
        ("Drawings", "snail", 5),
        ("Texts", "delivery", 3),
        ("Photos", "kiwi", 4),
        ("Tables", "stays", 2),
        ("Numbers", "-", 0),
    ],
)
def test_an_example_to_try_needs_one_press(page, kind, label, classes):
    page.choose(kind).page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict b", has_text=label).wait_for(timeout=ANSWER_MS)
    assert len(page.classes()) == classes


def test_a_table_is_pasted_and_a_row_is_asked(page):
    page.choose("Tables")
    fit = [f"{hours},yes,fit" for hours in range(22, 32, 2)]
    rows = "\n".join([*fit, *(f"{hours},no,unfit" for hours in range(10, 22, 2))])
    page.section("Teach").get_by_label("Paste or drop CSV").fill(f"hours,sport,outcome\n{rows}")
    page.page.get_by_role("button", name="Teach 11 rows").click()
    page.wait_for_examples(11)
    ask = page.section("Ask")
    ask.get_by_label("hours").fill("29")
    ask.get_by_label("sport").fill("yes")
    ask.get_by_role("button", name="Ask").click()
    page.page.locator(".verdict b", has_text=re.compile("^fit$")).wait_for()
    page.picture("table")


def example(page, kind: str):
    """Press the button of the example of a kind, and wait for the answer."""
    page.choose(kind).page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict").wait_for(timeout=ANSWER_MS)
    return page


@pytest.mark.parametrize(("kind", "field", "typed"), [("Numbers", "Number", "-1.5"), ("Tables", "age", "-3")])
def test_half_of_a_number_stays_while_it_is_typed(page, kind, field, typed):
    entry = example(page, kind).section("Ask").get_by_label(re.compile(f"^{field}"))
    entry.fill("")
    entry.press_sequentially(typed)
    assert entry.input_value() == typed


def test_rows_without_labels_may_be_typed(page):
    pool = example(page, "Tables").section("Teach").locator(".suggest")
    pool.locator("summary").click()
    pool.get_by_role("textbox").press_sequentially("age\n30")
    assert pool.get_by_role("textbox").input_value() == "age\n30"
    pool.get_by_role("button", name="Clear").click()
    page.page.wait_for_function("document.querySelector('.suggest textarea').value === ''")


def test_texts_come_from_csv_too(page):
    page.choose("Texts").page.get_by_text("Many at once, from CSV").click()
    lines = "\n".join(f'{label},"{text}"' for text, label in TICKETS)
    page.section("Teach").get_by_label("Paste or drop CSV").fill(f"intent,message\n{lines}")
    page.page.get_by_role("button", name="Teach 6 texts").click()
    page.wait_for_examples(6)
    assert page.classes() == ["account", "delivery", "refund"]


def test_photos_are_dropped_and_another_is_recognised(page):
    page.choose("Photos")
    for name in ("kiwi", "cucumber"):
        drop(page, "Teach", f"{name}-1.jpg")
        page.teach(name)
    drop(page, "Ask", "kiwi-3.jpg")
    page.page.locator(".verdict b", has_text="kiwi").wait_for(timeout=ANSWER_MS)


def drop(page, section: str, name: str) -> None:
    """Drop an image file on the zone of a section, as a file manager does."""
    data = page.page.evaluate_handle(
        """([bytes, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
            return transfer;
        }""",
        [list((PHOTOS / name).read_bytes()), name],
    )
    page.section(section).locator(".drop").dispatch_event("drop", {"dataTransfer": data})


def test_a_photo_is_taken_with_the_camera(page):
    page.choose("Photos").section("Teach").get_by_role("button", name="Use the camera").click()
    page.page.get_by_role("button", name="Take the photo").click()
    page.page.get_by_alt_text("Chosen photo 1").wait_for()
    page.teach("pattern")
    assert page.classes() == ["pattern"]


def test_a_file_that_is_no_image_is_refused_in_a_sentence(page):
    page.choose("Photos")
    file = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"no image"}
    page.section("Teach").locator("input[type=file]").first.set_input_files(file)
    page.page.get_by_text("broken.jpg cannot be read here").wait_for()


def test_an_input_of_no_class_is_unknown(page):
    page.choose("Texts")
    for text, label in TICKETS:
        page.teach_text(text, label)
    for text in ("qwxz", "The capital of France is Paris", "0 1 1 2 3 5 8"):
        if page.ask_text(text) == "unknown":
            assert page.page.get_by_text("Probably none of these").is_visible()
            return
    pytest.fail("no answer is unknown")
