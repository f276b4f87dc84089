"""Drawings as people send them all become the same ink."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.inputs.drawing import decode_images
from service.inputs.limits import PixelBudget
from tests.service.drawings import draw, encoded, ink

INK = ink("Z")
LIGHT = Image.fromarray(np.kron(INK, np.full((4, 4), 255, np.uint8)))
DARK = Image.eval(LIGHT, lambda value: 255 - value)


def decode(raw: object, max_pixels: int = 1_000_000) -> np.ndarray:
    return decode_images([raw], 28, PixelBudget(max_pixels), ["inputs[0]"]).ink


def on_nothing(shade: int) -> Image.Image:
    """The drawing in one shade on a transparent sheet with the same hidden colour."""
    image = Image.new("LA", LIGHT.size, (shade, 0))
    image.putalpha(LIGHT)
    return image


def transparent_palette() -> str:
    image = DARK.convert("P")
    return encoded(image, transparency=image.getpixel((0, 0)))


def sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


EXACTLY = {
    "dark on light": encoded(DARK),
    "light on dark": encoded(LIGHT),
    "dark on transparent": encoded(on_nothing(0)),
    "light on transparent": encoded(on_nothing(255)),
    "dark on transparent, RGBA": encoded(on_nothing(0).convert("RGBA")),
    "RGB": encoded(DARK.convert("RGB")),
    "RGBA": encoded(DARK.convert("RGBA")),
    "palette": encoded(DARK.convert("P")),
    "palette with a transparent colour": transparent_palette(),
    "1 bit": encoded(DARK.convert("1")),
    "16 bit": encoded(sixteen_bit(DARK)),
    "16 bit, light on dark": encoded(sixteen_bit(LIGHT)),
    "base64 with line breaks": base64.encodebytes(base64.b64decode(encoded(DARK))).decode(),
    "data URL": "data:image/png;base64," + encoded(DARK),
    "numbers 0 to 255": np.asarray(DARK).tolist(),
    "numbers 0 to 1": (np.asarray(DARK) / 255).tolist(),
    "numbers 0 to 1, light on dark": INK.tolist(),
}

NEARLY = {
    "JPEG": encoded(DARK, "JPEG", quality=95),
    "JPEG, light on dark": encoded(LIGHT, "JPEG", quality=95),
    "CMYK JPEG": encoded(DARK.convert("RGB").convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.parametrize("raw", EXACTLY.values(), ids=EXACTLY.keys())
def test_the_same_drawing_gives_the_same_ink_however_it_is_sent(raw):
    assert (decode(raw) == 255 * INK).all()


@pytest.mark.parametrize("raw", NEARLY.values(), ids=NEARLY.keys())
def test_a_lossy_drawing_gives_nearly_the_same_ink(raw):
    assert np.abs(decode(raw).astype(int) - 255 * INK).max() <= 8


@pytest.mark.parametrize("side", [9, 28, 105, 500])
def test_any_size_gives_one_channel_of_28_x_28(side):
    decoded = decode(encoded(draw("L", side=side, width=max(1, side // 14))))
    assert (decoded.shape, decoded.dtype) == ((1, 28, 28), np.uint8)
    assert decoded.max() >= 127


TOLERANCE = 16
"""Of 255: what is left of a large drawing is cut at whole pixels."""
LARGE = Image.fromarray(np.pad(np.kron(INK, np.full((70, 70), 255, np.uint8)), ((0, 13), (0, 0))))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "16 bit", "JPEG"])
def test_a_large_drawing_gives_the_same_ink_in_strips_as_whole(mode):
    paper = Image.eval(LARGE, lambda value: 255 - value)
    if mode == "JPEG":
        sent = encoded(paper, mode)
    else:
        sent = encoded(sixteen_bit(paper) if mode == "16 bit" else paper.convert(mode))
    whole = np.pad(np.asarray(LARGE), ((0, 0), (6, 7))).astype(np.float32)
    expected = np.asarray(Image.fromarray(whole).resize((28, 28), Image.Resampling.BOX))
    assert np.abs(decode(sent, 10_000_000)[0] - expected).max() <= TOLERANCE


def test_a_drawing_that_is_not_square_is_centred_on_more_paper():
    assert (decode(INK[7:21].tolist()) == 255 * np.pad(INK[7:21], ((7, 7), (0, 0)))).all()
    assert (decode(INK[:, 7:21].tolist()) == 255 * np.pad(INK[:, 7:21], ((0, 0), (7, 7)))).all()


def test_the_rotation_that_a_camera_notes_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn clockwise by a quarter to show"
    assert (decode(encoded(DARK.rotate(90, expand=True), exif=exif)) == 255 * INK).all()


@pytest.mark.parametrize("width", [4, 8])
def test_thin_strokes_on_a_large_sheet_are_still_seen(width):
    assert decode(encoded(draw("L", side=1000, width=width))).max() >= 127


def test_pale_ink_is_still_seen():
    assert decode(encoded(Image.eval(DARK, lambda value: 225 if value == 0 else 255))).max() >= 127


def test_an_empty_sheet_has_no_ink_even_with_the_noise_of_a_jpeg():
    noise = np.random.default_rng(0).integers(252, 256, (84, 84), dtype=np.uint8)
    assert decode(encoded(Image.fromarray(noise), "JPEG")).max() <= 5


SHEETS = st.tuples(st.integers(1, 40), st.integers(1, 40))


@st.composite
def rows(draw_one: st.DrawFn) -> list[list[float]]:
    """An image as numbers: whole ones, some of few shades, or parts of one."""
    height, width = draw_one(st.just((28, 28)) | SHEETS)
    rng = np.random.default_rng(draw_one(st.integers(0, 2**32)))
    paper, shade = draw_one(st.sampled_from([(0, 255), (255, 0), (250, 240), (0, 30)]))
    sheet = np.where(rng.random((height, width)) > 0.8, shade, paper)
    return (sheet if draw_one(st.booleans()) else sheet / 255).tolist()


@given(st.lists(rows(), min_size=1, max_size=4))
@settings(deadline=None, derandomize=True)
def test_images_decode_the_same_together_and_alone(several):
    together = decode_images(several, 28, PixelBudget(1_000_000), ["inputs"] * len(several)).ink
    for image, one in zip(several, together, strict=True):
        np.testing.assert_array_equal(one, decode(image)[0])


@given(rows())
@settings(deadline=None, derandomize=True)
def test_whole_numbers_mean_the_same_as_those_with_a_point(image):
    np.testing.assert_array_equal(decode(image), decode(np.array(image, dtype=float).tolist()))
