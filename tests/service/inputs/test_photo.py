"""Photos as people send them become the square that the encoder expects; what is no photo is refused by name."""

import asyncio
import base64
import io
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from models.datasets.photos import Photos
from service.errors import Unprocessable
from service.inputs.decoder import Decoder
from service.inputs.limits import Limits
from service.inputs.photo import Photo
from service.settings import Settings
from tests.service.drawings import encoded

RED, GREEN = (200, 30, 30), (20, 180, 40)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def halves(width: int = 60, height: int = 40) -> Image.Image:
    """Red on the left, green on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    return image


def decode(raw: object, kind: Photo | None = None, max_pixels: int = 1_000_000) -> np.ndarray:
    return (kind or Photo(size=16)).decode([raw], ["inputs[0]"], Limits(max_pixels)).array()[0]


def shows_halves(photo: np.ndarray, tolerance: int = 6) -> bool:
    """Whether red is on the left and green on the right of a photo (3, size, size)."""
    left, right = (abs(photo[:, :, at].T.astype(int) - colour) for at, colour in ((2, RED), (-3, GREEN)))
    return bool(max(left.max(), right.max()) <= tolerance)


FILES = {
    "PNG": encoded(halves()),
    "JPEG": encoded(halves(), "JPEG", quality=95),
    "WebP": encoded(halves(), "WEBP", lossless=True),
    "a data URL": "data:image/png;base64," + encoded(halves()),
    "transparent": encoded(halves().convert("RGBA")),
    "a palette": encoded(halves().convert("P", palette=Image.Palette.ADAPTIVE)),
    "CMYK": encoded(halves().convert("CMYK"), "JPEG", quality=95),
    "a portrait": encoded(halves(40, 60)),
    "larger than any model needs": encoded(halves(3000, 2100)),
    "one pixel high": encoded(halves(60, 1)),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
def test_a_file_of_any_format_mode_and_size_becomes_the_square(file):
    photo = decode(file, max_pixels=10_000_000)
    assert (photo.shape, photo.dtype) == ((3, 16, 16), np.uint8)
    assert shows_halves(photo, tolerance=12) or file == FILES["one pixel high"]


def test_the_orientation_of_the_camera_is_undone():
    turned = halves().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer turns it clockwise by 90 degrees
    assert shows_halves(decode(encoded(turned, "JPEG", quality=95, exif=exif)), tolerance=12)


def test_what_is_transparent_becomes_white():
    assert (decode(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0)))) == 255).all()


def test_grey_of_eight_and_of_sixteen_bits_becomes_three_equal_colours():
    for grey in (Image.new("L", (9, 9), 128), Image.fromarray(np.full((9, 9), 128 * 257, np.uint16))):
        photo = decode(encoded(grey))
        assert abs(photo.astype(int) - 128).max() <= 1


def test_the_central_square_is_kept_and_the_crop_takes_a_part_of_it():
    framed = Image.new("RGB", (100, 60), (0, 0, 255))
    framed.paste(RED, (35, 15, 65, 45))
    whole, part = decode(encoded(framed)), decode(encoded(framed), Photo(size=16, crop=0.5, resample="box"))
    assert (whole[2, 0] > 200).all()
    assert (part.transpose(1, 2, 0) == RED).all()


@pytest.mark.parametrize("sent", [NOISE, NOISE.tolist(), NOISE / 255, (NOISE / 255).tolist()])
def test_numbers_of_0_to_255_or_of_0_to_1_are_the_pixels(sent):
    assert (decode(sent, Photo(size=48)) == NOISE.transpose(2, 0, 1)).all()


def test_a_photo_is_the_same_as_the_datasets_make_it():
    file = io.BytesIO()
    Image.fromarray(NOISE).resize((128, 96)).save(file, "JPEG", quality=90)
    kind = Photo(size=64, crop=0.875)
    served = decode(base64.b64encode(file.getvalue()).decode(), kind)
    trained = Photos([file.getvalue()], kind.model_dump())(np.array([0]))[0]
    assert np.allclose(trained.numpy() * 255, served, atol=1e-3)


REFUSED = {
    "a text": ("where is my parcel?", "neither base64 nor an image"),
    "a word that is base64": ("parcel", "not an image"),
    "an empty text": ("", "not an image"),
    "a row of a table": ({"age": 41}, "a photo is a base64 string .* not an object"),
    "a number": (3, "not a number"),
    "null": (None, "not null"),
    "a PDF": (base64.b64encode(b"%PDF-1.7 and more").decode(), "PDF"),
    "half of a file": (encoded(Image.fromarray(NOISE))[:400], "damaged or incomplete"),
    "rows of numbers": ([[1, 2], [3, 4]], "numbers \\(height, width, 3\\)"),
    "four channels": (np.zeros((4, 4, 4)), "numbers \\(height, width, 3\\)"),
    "ragged rows": ([[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]], "numbers \\(height, width, 3\\)"),
    "no rows": ([], "numbers \\(height, width, 3\\)"),
    "words for numbers": ([[["a", "b", "c"]]], "numbers \\(height, width, 3\\)"),
    "true and false": ([[[True, False, 1]]], "numbers \\(height, width, 3\\)"),
    "NaN": (np.full((2, 2, 3), math.nan), "NaN"),
    "numbers above 255": ([[[1, 2, 300]]], "300"),
    "too many pixels": (np.zeros((2000, 2, 3)), "limit is 1000000"),
    "a file of too many pixels": (encoded(Image.new("L", (1200, 900))), "limit is 1000000"),
}


@pytest.mark.parametrize(("sent", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_photo_is_refused(sent, said):
    with pytest.raises(Unprocessable, match=f"inputs\\[0\\]: .*{said}"):
        decode(sent)


def test_files_are_decoded_in_a_process_of_their_own():
    async def decoded() -> np.ndarray:
        decoder = Decoder(Settings())
        try:
            return (await decoder.decode(Photo(size=16), [FILES["PNG"]], ["a"], "acme")).array()
        finally:
            await decoder.close()

    assert (asyncio.run(decoded())[0] == decode(FILES["PNG"])).all()


def test_made_up_examples_have_the_shape_and_type_of_photos():
    kind = Photo(size=16)
    made = kind.examples(4, np.random.default_rng(0))
    assert (made.shape, made.dtype) == ((4, 3, 16, 16), np.uint8)


def test_photos_need_no_torch():
    code = "import service.inputs.photo, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
