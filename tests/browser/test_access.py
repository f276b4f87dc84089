"""The page with a keyboard alone, with a screen reader, in the dark, and on a phone."""

import pytest

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
KINDS = ["Drawings", "Texts", "Photos", "Tables", "Numbers"]
ANSWER_MS = 60_000


def violations(page) -> list[str]:
    """What axe finds, with the elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page.page).response["violations"]
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


def use_everything(page, kind: str) -> None:
    """Try the example of a kind, and open what can be opened."""
    page.choose(kind).page.get_by_role("button", name="Try an example").click()
    page.page.locator(".verdict").wait_for(timeout=ANSWER_MS)
    if kind != "Numbers":
        page.page.get_by_role("button", name="Keep as a test").click()
        page.page.get_by_role("button", name="Run the tests").click()
        page.page.get_by_role("region", name="Confusion matrix of the tests").wait_for()
    page.page.get_by_role("button", name="Check its own examples").click()
    page.page.locator(".quality [aria-live] p").first.wait_for()
    page.page.locator(".item").first.click()
    page.page.locator("summary", has_text="Versions").click()
    page.page.locator(".versions li").first.wait_for()
    if kind in POOLS:
        have_one_suggested(page, kind)


POOLS = {"Texts": ("Texts one a line", "Where is it?"), "Tables": ("Rows without labels", "age,plan\n30,free")}


def have_one_suggested(page, kind: str) -> None:
    """Give an input without a label, learn from it, and have it chosen."""
    field, pool = POOLS[kind]
    page.page.locator("summary", has_text="Many without labels").click()
    page.page.get_by_label(field).fill(pool)
    page.page.get_by_role("button", name="Learn from 1").click()
    page.page.get_by_text("no label 1").wait_for()
    page.page.get_by_label(field).fill(pool)
    page.page.get_by_role("button", name="Choose from 1").click()
    page.page.locator(".next").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(visit, server, kind, scheme):
    page = visit(server, color_scheme=scheme)
    assert violations(page.choose(kind)) == []
    use_everything(page, kind)
    assert violations(page) == []
    if (kind, scheme) == ("Photos", "dark"):
        page.picture("photos-dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_there_are_several_labels(visit, server, scheme):
    page = visit(server, color_scheme=scheme).choose("Texts")
    page.page.get_by_label("A text may have several labels").check()
    page.teach_text("where is my invoice, I am angry", "billing, complaint")
    page.teach_text("good morning", "")
    page.ask_text("the invoice is wrong")
    page.page.locator(".item").first.click()
    page.page.get_by_label("What is this text?").fill("x")
    assert violations(page) == []


def test_axe_finds_nothing_in_the_dialogs(visit, server):
    page = visit(server)
    page.page.get_by_role("button", name="Client").click()
    page.page.get_by_role("dialog", name="Clients").wait_for()
    assert violations(page) == []
    page.page.keyboard.press("Escape")
    page.choose("Photos").section("Teach").get_by_role("button", name="Use the camera").click()
    page.page.get_by_role("dialog", name="Camera").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit, server, kind):
    page = visit(server, **PHONE)
    use_everything(page, kind)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(page) == []
    small = page.page.evaluate(
        """() => [...document.querySelectorAll("button, select, input:not([type=file], [type=radio])")]
            .filter((each) => each.offsetHeight && Math.min(each.offsetHeight, each.offsetWidth) < 24)
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    assert small == [], "targets are at least 24 pixels wide and high (WCAG 2.5.8)"
    if kind == "Drawings":
        page.page.evaluate("scrollTo(0, 0)")
        page.picture("phone")


def tab_to(page, name: str) -> None:
    """Press Tab until the element with this name has the focus."""
    for _ in range(80):
        page.page.keyboard.press("Tab")
        if page.page.evaluate(FOCUSED_NAME) == name:
            return
    pytest.fail(f"Tab does not reach {name}")


FOCUSED_NAME = """() => {
    const element = document.activeElement;
    const label = element.labels?.[0]?.textContent ?? element.getAttribute("aria-label") ?? element.textContent;
    return label.trim().replace(/\\s+/g, " ");
}"""


def test_texts_are_taught_and_asked_with_the_keyboard_alone(page):
    keys = page.page.keyboard
    tab_to(page, "Drawings signs, letters, symbols")
    keys.press("ArrowRight")
    tab_to(page, "Text such as “Where is my parcel?”")
    for text, label in (("Where is my parcel?", "delivery"), ("I want my money back", "refund")):
        keys.type(text)
        keys.press("Tab")
        keys.type(label)
        keys.press("Enter")
        page.page.locator(".class-name", has_text=label).wait_for()
    tab_to(page, "Text and press Enter")
    keys.type("My order has not arrived")
    keys.press("Enter")
    page.page.locator(".verdict b", has_text="delivery").wait_for()
    tab_to(page, "Undo")
    keys.press("Enter")
    page.wait_for_examples(1)


def test_a_sign_is_drawn_with_the_keyboard_alone(page):
    keys = page.page.keyboard
    ways = {"bar": ["ArrowRight"] * 12, "hook": ["ArrowDown"] * 8 + ["ArrowLeft"] * 8}
    tab_to(page, "Draw an example")
    for name, moves in ways.items():
        stroke(keys, moves)
        tab_to(page, "What is this drawing?")
        keys.type(name)
        keys.press("Enter")
        page.page.locator(".class-name", has_text=name).wait_for()
    tab_to(page, "Draw a question")
    stroke(keys, ways["hook"])
    page.page.locator(".verdict b", has_text="hook").wait_for()


def stroke(keys, moves: list[str]) -> None:
    """Put the pen down, move it and lift it."""
    for key in ("Space", *moves, "Space"):
        keys.press(key)


def test_a_screen_reader_hears_the_answer_and_the_problem(page):
    page.choose("Texts").page.get_by_role("button", name="Try an example").click()
    page.page.locator("[aria-live=polite] .verdict", has_text="delivery").wait_for()
    page.expected = {422}
    page.section("Ask").get_by_label("Text", exact=False).fill("x" * 200_000)
    page.page.get_by_role("button", name="Ask", exact=True).click()
    page.page.locator("[role=alert]", has_text="the limit is").wait_for()
