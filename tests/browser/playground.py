"""What a person does on the page."""

import os
import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from PIL import Image

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "playground" if os.environ.get("SCREENSHOTS") else None
COLOURS = 128
"""Of a picture in the documentation, so that it is small."""
Stroke = Sequence[tuple[float, float]]

SIGNS: dict[str, list[Stroke]] = {
    "cross": [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]],
    "square": [[(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)]],
    "arrow": [[(0.1, 0.5), (0.9, 0.5)], [(0.65, 0.25), (0.9, 0.5), (0.65, 0.75)]],
    "stairs": [[(0.1, 0.9), (0.1, 0.6), (0.4, 0.6), (0.4, 0.35), (0.7, 0.35), (0.7, 0.1), (0.95, 0.1)]],
    "eye": [[(0.1, 0.5), (0.5, 0.25), (0.9, 0.5), (0.5, 0.75), (0.1, 0.5)], [(0.45, 0.5), (0.5, 0.4), (0.55, 0.5)]],
}
"""Five signs in strokes on a sheet of 1 by 1."""


class Playground:
    """A visit to the page. Refused requests count as complaints, unless `expected` has their status."""

    def __init__(self, context: Any, url: str, expected: Iterable[int] = ()) -> None:
        self.context, self.url = context, url
        self.complaints: list[str] = []
        self.expected = set(expected)
        self.page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._answered)
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))

    def open(self, at: str = "/") -> Self:
        """Load the page."""
        self.page.goto(f"{self.url}{at}")
        self.page.get_by_role("heading", name="Teach", exact=True).wait_for()
        return self

    def choose(self, kind: str) -> Self:
        """Choose what to teach."""
        self.page.get_by_role("radio", name=re.compile(kind)).check()
        return self

    def draw(self, sheet: str, strokes: Sequence[Stroke], shift: float = 0) -> None:
        """Draw with the mouse on the sheet of this name."""
        canvas = self.page.get_by_label(sheet, exact=True)
        canvas.scroll_into_view_if_needed()
        box, mouse = canvas.bounding_box(), self.page.mouse
        for stroke in strokes:
            moved = [(x + shift, y - shift) for x, y in stroke]
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in moved]
            mouse.move(*points[0])
            mouse.down()
            for point in points[1:]:
                mouse.move(*point, steps=6)
            mouse.up()

    def teach(self, label: str) -> None:
        """Name the input, press Teach, and wait until it is known."""
        before = self.count()
        field = self.page.get_by_label(re.compile("^What is this"))
        field.fill(label)
        field.press("Enter")
        self.wait_for_examples(before + 1)

    def teach_text(self, text: str, label: str) -> None:
        """Type a text and its label."""
        self.section("Teach").get_by_label(re.compile("^Text")).first.fill(text)
        self.teach(label)

    def ask_text(self, text: str) -> str:
        """Type a question. Returns the label of the answer."""
        field = self.section("Ask").get_by_label("Text", exact=False)
        field.fill(text)
        field.press("Enter")
        self.page.locator(".answer .question", has_text=text).wait_for()
        return self.answer()

    def answer(self) -> str:
        """The label of the answer."""
        return self.page.locator(".verdict b").inner_text()

    def section(self, name: str) -> Any:
        """The part of the page with this heading."""
        return self.page.get_by_role("region", name=re.compile(f"{re.escape(name)}$"))

    def count(self) -> int:
        """The examples that it knows."""
        status = self.page.locator(".examples [role=status]")
        return int(status.inner_text().split()[0]) if status.count() else 0

    def wait_for_examples(self, count: int) -> None:
        """Wait until it knows so many, and does nothing any more."""
        self.page.locator(".examples [role=status]", has_text=re.compile(rf"^{count} example")).wait_for()

    def classes(self) -> list[str]:
        """The names of the classes that it knows."""
        return list(self.page.locator(".class-name b").all_inner_texts())

    def picture(self, name: str, part: Any = None) -> None:
        """Write a picture of the page or a part of it for the documentation, if that is asked for."""
        if not PICTURES:
            return
        self.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        shown = Image.open(BytesIO((part or self.page).screenshot())).convert("RGB")
        PICTURES.mkdir(exist_ok=True)
        shown.quantize(COLOURS).save(PICTURES / f"{name}.png", optimize=True)

    def _heard(self, message: Any) -> None:
        refused = message.text.startswith("Failed to load resource")  # counted as an answer
        if message.type in ("error", "warning") and not refused:
            self.complaints.append(message.text)

    def _answered(self, response: Any) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.complaints.append(f"{response.status} {response.request.method} {response.url}")
