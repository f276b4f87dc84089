"""The browser as a door: draw signs, name them, and draw another one. Needs Chromium and Playwright."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.doors.walk import Found

Stroke = Sequence[tuple[float, float]]

SIGNS: dict[str, list[Stroke]] = {
    "cross": [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]],
    "square": [[(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)]],
    "arrow": [[(0.1, 0.5), (0.9, 0.5)], [(0.65, 0.25), (0.9, 0.5), (0.65, 0.75)]],
}
ASKED, SHIFT = "arrow", 0.04
"""The sign that is asked, and how far it lies from where it was taught."""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((each) => /\\/$|\\/playground\\//.test(new URL(each.name).pathname))
    .reduce((sum, each) => sum + each.transferSize, 0)"""
"""Bytes of the page over the network, with headers."""


class Browser:
    """A person with a mouse. Counts strokes, fields and presses."""

    def __init__(self) -> None:
        self._strokes = self._names = 0

    def walk(self, url: str, folder: Path) -> Found:
        """Open the page, teach three signs and ask about a fourth drawing."""
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  an extra of this door alone

        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if chromium is None:
            raise RuntimeError("needs chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium)
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(f"{url}/")
            for name, strokes in SIGNS.items():
                self._teach(page, name, strokes)
            self._draw(page, "Draw a question", SIGNS[ASKED], SHIFT)
            page.locator(".verdict b", has_text=ASKED).wait_for()
            page.wait_for_function(PAINT)
            page_cost = f"{page.evaluate(WEIGHT) / 1000:.0f} kB, first paint after {page.evaluate(PAINT):.0f} ms"
            browser.close()
        return Found(ASKED, f"{self._strokes} strokes, {self._names} names ({page_cost})")

    def _teach(self, page: Any, name: str, strokes: Sequence[Stroke]) -> None:
        self._draw(page, "Draw an example", strokes)
        field = page.get_by_label("What is this drawing?")
        field.fill(name)
        field.press("Enter")
        page.locator(".class-name", has_text=name).wait_for()
        self._names += 1

    def _draw(self, page: Any, sheet: str, strokes: Sequence[Stroke], shift: float = 0) -> None:
        canvas = page.get_by_label(sheet, exact=True)
        canvas.scroll_into_view_if_needed()
        box, mouse = canvas.bounding_box(), page.mouse
        for stroke in strokes:
            places = [
                (box["x"] + (x + shift) * box["width"], box["y"] + (y - shift) * box["height"]) for x, y in stroke
            ]
            mouse.move(*places[0])
            mouse.down()
            for place in places[1:]:
                mouse.move(*place, steps=6)
            mouse.up()
        self._strokes += len(strokes)
