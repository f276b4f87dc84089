"""What is not a drawing is refused, by name, before it costs anything."""

import base64
import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Unprocessable
from service.inputs.drawing import decode_images
from service.inputs.limits import PixelBudget
from tests.service.drawings import draw, encoded

PNG = base64.b64decode(encoded(draw("L")))
JPEG = base64.b64decode(encoded(draw("L"), "JPEG"))
A_FEW = settings(max_examples=100, deadline=None, derandomize=True)


def decode(raw: object, max_pixels: int = 1_000_000) -> np.ndarray:
    return decode_images([raw], 28, PixelBudget(max_pixels), ["inputs[3]"]).ink


def png_claiming(width: int, height: int) -> str:
    """A few bytes that say that they are a PNG of so many pixels."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1000))),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


def nested(depth: int) -> list:
    rows: list = [0]
    for _ in range(depth):
        rows = [rows]
    return rows


REFUSED = {
    "a text": "an angry cat",
    "an empty text": "",
    "base64 of no image": base64.b64encode(b"hello").decode(),
    "not base64": encoded(draw("L"))[:-3] + "???",
    "an empty data URL": "data:image/png;base64,",
    "a lone surrogate": "\ud800",
    "a truncated PNG": base64.b64encode(PNG[: len(PNG) // 2]).decode(),
    "a truncated JPEG": base64.b64encode(JPEG[: len(JPEG) // 2]).decode(),
    "a PNG's header alone": base64.b64encode(PNG[:33]).decode(),
    "a PNG of no pixels": png_claiming(0, 0),
    "NaN": [[0, math.nan], [0, 1]],
    "infinity": [[0, math.inf], [0, 1]],
    "ragged rows": [[0, 1], [0]],
    "rows of booleans": [[True, False], [False, True]],
    "a boolean among whole numbers": [[0, 255], [7, True]],
    "a boolean among fractions": [[0, 0.5], [False, 1]],
    "an array of booleans": np.ones((2, 2), dtype=bool),
    "rows of strings": [["0", "1"], ["1", "0"]],
    "strings for rows": ["01", "10"],
    "negative": [[0, -1], [0, 1]],
    "above 255": [[0, 256], [0, 1]],
    "a huge integer": [[0, 10**400], [0, 1]],
    "no rows": [],
    "empty rows": [[], []],
    "one row without a frame": [1, 2, 3],
    "three dimensions": [[[0], [1]]],
    "deep nesting": nested(500),
    "objects": [[{}]],
    "nulls": [[None]],
    "an object": {"png": "..."},
    "null": None,
    "a boolean": True,
    "a number": 3,
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_an_invalid_drawing_is_refused_with_its_field(raw):
    with pytest.raises(Unprocessable) as refusal:
        decode(raw)
    assert refusal.value.field == "inputs[3]"
    assert refusal.value.detail.startswith("inputs[3]: ")


BOMBS = {
    "just over": (1001, 1000),
    "over what Pillow warns of": (10_000, 10_000),
    "over what Pillow refuses": (50_000, 50_000),
    "wide": (900_000, 1),
    "tall": (1, 900_000),
}


@pytest.mark.parametrize("size", BOMBS.values(), ids=BOMBS.keys())
def test_an_image_that_would_need_too_many_pixels_is_refused_with_the_limit(size):
    with pytest.raises(Unprocessable, match=r"the limit is 1000000\b"):
        decode(png_claiming(*size))


def test_rows_that_would_need_too_many_pixels_are_refused_with_the_limit():
    with pytest.raises(Unprocessable, match=r"the limit is 1000000\b"):
        decode([[0] * 900_000])


def decodes_or_refuses(raw: object) -> bool:
    """Whether it is a drawing, or a refusal names its field; nothing else may happen."""
    try:
        return decode(raw, max_pixels=10_000).shape == (1, 28, 28)
    except Unprocessable as refusal:
        return refusal.field == "inputs[3]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)
rows = st.lists(st.lists(st.integers(-1, 300) | st.floats(width=16), min_size=1, max_size=3), min_size=1, max_size=3)


@A_FEW
@given(json_values | rows)
def test_any_json_is_decoded_or_refused(value):
    assert decodes_or_refuses(value)


@A_FEW
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", PNG[:33], JPEG[:20]]))
def test_any_bytes_are_decoded_or_refused(body, start):
    assert decodes_or_refuses(base64.b64encode(start + body).decode())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@A_FEW
@given(st.sampled_from([PNG, JPEG]), st.data())
def test_a_damaged_image_is_decoded_or_refused(image, data):
    damaged = bytearray(image)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    assert decodes_or_refuses(base64.b64encode(damaged).decode())


def test_the_images_of_a_request_share_the_limit():
    pixels = PixelBudget(1_000_000)
    for side in (600, 600):
        pixels.take(side, side, "inputs[0]")
    with pytest.raises(Unprocessable, match="and 280000 were left"):
        pixels.take(600, 600, "inputs[2]")
