"""Draws the symbols of the README: five signs that are in no data set, each by three unsteady hands.

python examples/draw.py        writes NAME-1.png ... NAME-3.png, adapt.json and predict.json beside this file
"""

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
SIZE = 105
Stroke = list[tuple[float, float]]


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Part of an ellipse, by angles in degrees."""
    return [(x + rx * np.cos(a), y + ry * np.sin(a)) for a in np.radians(np.linspace(start, end, 24))]


SYMBOLS: dict[str, list[Stroke]] = {
    "fish": [arc(0.42, 0.5, 0.26, 0.16, 0, 360), [(0.66, 0.5), (0.86, 0.34), (0.86, 0.66), (0.66, 0.5)]],
    "house": [[(0.2, 0.48), (0.5, 0.18), (0.8, 0.48)], [(0.28, 0.42), (0.28, 0.82), (0.72, 0.82), (0.72, 0.42)]],
    "key": [arc(0.3, 0.36, 0.14, 0.14, 0, 360), [(0.4, 0.46), (0.78, 0.82)], [(0.66, 0.7), (0.76, 0.6)]],
    "snail": [
        [(0.46 + r * np.cos(55 * r), 0.48 + r * np.sin(55 * r)) for r in np.linspace(0.02, 0.24, 60)],
        [(0.18, 0.74), (0.82, 0.74), (0.88, 0.5)],
    ],
    "umbrella": [arc(0.5, 0.46, 0.32, 0.28, 180, 360), [(0.18, 0.46), (0.82, 0.46)], [(0.5, 0.46), (0.5, 0.8)]],
}


def drawing(strokes: list[Stroke], rng: np.random.Generator) -> Image.Image:
    """The strokes as another hand would draw them: a little turned, stretched, moved and shaky."""
    warp = np.eye(2) * rng.normal(1, 0.06, (2, 1)) + rng.normal(0, 0.07, (2, 2))
    image = Image.new("1", (SIZE, SIZE), 1)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        points = (
            (np.array(stroke) - 0.5) @ warp + 0.5 + rng.normal(0, 0.015, 2) + rng.normal(0, 0.006, (len(stroke), 2))
        )
        pen.line([tuple(point) for point in points * SIZE], fill=0, width=3, joint="curve")
    return image


def main() -> None:
    """Draw, and write the two requests of the README."""
    rng = np.random.default_rng(2)
    for name, strokes in SYMBOLS.items():
        for hand in (1, 2, 3):
            drawing(strokes, rng).save(HERE / f"{name}-{hand}.png", optimize=True)
    support = [{"input": encoded(f"{name}-1.png"), "label": name} for name in SYMBOLS]
    queries = [encoded("snail-2.png"), encoded("key-3.png")]
    write("adapt.json", {"client_id": "alice", "model": "glyphs", "support": support})
    write("predict.json", {"client_id": "alice", "inputs": queries})


def encoded(name: str) -> str:
    """A file as base64."""
    return base64.b64encode((HERE / name).read_bytes()).decode()


def write(name: str, body: object) -> None:
    """A request's body."""
    (HERE / name).write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
