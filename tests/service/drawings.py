"""Drawings that the tests make, and support sets of them."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

STROKES = {
    "L": [(0.3, 0.2), (0.3, 0.8), (0.7, 0.8)],
    "V": [(0.2, 0.2), (0.5, 0.8), (0.8, 0.2)],
    "Z": [(0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)],
    "I": [(0.5, 0.15), (0.5, 0.85)],
    "N": [(0.2, 0.8), (0.2, 0.2), (0.8, 0.8), (0.8, 0.2)],
    "O": [(0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.3)],
    "H": [(0.2, 0.5), (0.8, 0.5)],
}


def draw(letter: str, side: int = 84, width: int = 5, shift: int = 0) -> Image.Image:
    """A letter, dark on light; `shift` pixels to the right, as another hand would."""
    sheet = Image.new("L", (side, side), 255)
    points = [(round(x * side) + shift, round(y * side)) for x, y in STROKES[letter]]
    ImageDraw.Draw(sheet).line(points, fill=0, width=width)
    return sheet


def ink(letter: str) -> np.ndarray:
    """The letter as 28 x 28 of 0 and 1."""
    return (np.asarray(draw(letter, side=28, width=2)) == 0).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    """The image as base64."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


def png(letter: str, shift: int = 0) -> str:
    return encoded(draw(letter, shift=shift))


def letters(names: str, shots: int = 2) -> list[dict[str, Any]]:
    """A support set: each letter, drawn `shots` times."""
    return [{"input": png(name, shift), "label": name} for name in names for shift in range(shots)]


def wave(count: int = 5, amplitude: float = 2.0) -> list[dict[str, float]]:
    """A support set of points on a sine."""
    return [{"input": float(x), "label": float(amplitude * np.sin(x))} for x in np.linspace(-4, 4, count)]
