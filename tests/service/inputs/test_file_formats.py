"""Image files as other programs write them."""

import base64
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from service.errors import Unprocessable
from service.inputs.drawing import Drawing
from service.inputs.image_files import FORMATS
from service.inputs.image_headers import MAX_CHUNKS, MAX_SCANS, MAX_SEGMENTS
from service.inputs.limits import Limits
from tests.service.drawings import encoded, ink
from tests.service.inputs.attacks import progressive_jpeg

INK = ink("Z")
DARK = Image.fromarray(255 - np.kron(INK, np.full((4, 4), 255, np.uint8)))
FILE = base64.b64decode(encoded(DARK))
BOMB = zlib.compress(bytes(50_000_000))
FRAMES = [DARK, Image.eval(DARK, lambda _: 255), DARK]


def decode(raw: object, max_pixels: int = 1_000_000) -> np.ndarray:
    return Drawing(size=28).decode([raw], ["inputs[3]"], Limits(max_pixels)).array()[0, 0]


def b64(file: bytes) -> str:
    return base64.b64encode(file).decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(*chunks: bytes) -> str:
    """The PNG with chunks behind its header."""
    return b64(FILE[:33] + b"".join(chunks) + FILE[33:])


def with_texts() -> str:
    info = PngImagePlugin.PngInfo()
    for i in range(3):
        info.add_text(f"text {i}", "x" * 2_000_000, zip=True)
    return encoded(DARK, pnginfo=info)


EXACTLY = {
    "WebP": encoded(DARK, "WEBP", lossless=True),
    "animated WebP": encoded(DARK, "WEBP", lossless=True, save_all=True, append_images=FRAMES[1:]),
    "GIF": encoded(DARK, "GIF"),
    "animated GIF": encoded(DARK, "GIF", save_all=True, append_images=FRAMES[1:]),
    "TIFF": encoded(DARK, "TIFF"),
    "TIFF, LZW": encoded(DARK, "TIFF", compression="tiff_lzw"),
    "TIFF, pages": encoded(DARK, "TIFF", save_all=True, append_images=FRAMES[1:]),
    "TIFF of fractions": encoded(Image.fromarray(np.asarray(DARK, dtype=np.float32) / 255), "TIFF"),
    "BMP": encoded(DARK, "BMP"),
    "animated PNG": encoded(DARK, save_all=True, append_images=FRAMES[1:]),
    "a PNG with a colour profile of 3 MB": encoded(DARK, icc_profile=bytes(3_000_000)),
    "a PNG with texts of 6 MB": with_texts(),
    "a PNG with a text that inflates to 50 MB": with_chunks(
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    ),
    "a PNG with a broken profile": with_chunks(chunk(b"iCCP", b"a\0\0broken")),
    "a PNG with unknown chunks": with_chunks(*[chunk(b"prVt", b"private")] * 1000),
    "base64 without padding": b64(FILE + b"\0").rstrip("="),
    "base64 with padding left out of two": b64(FILE + b"\0\0").rstrip("="),
    "URL-safe base64": base64.urlsafe_b64encode(FILE).decode(),
    "base64 with line breaks": base64.encodebytes(FILE).decode(),
    "base64 with Windows line breaks": base64.encodebytes(FILE).decode().replace("\n", "\r\n"),
    "a data URL": "data:image/png;base64," + b64(FILE),
    "a data URL in capitals": "DATA:image/png;charset=utf-8;BASE64," + b64(FILE),
    "a data URL with escapes": "data:image/png;base64," + b64(FILE).replace("+", "%2B").replace("=", "%3D"),
    "a data URL of another type than the file": "data:application/octet-stream;base64," + b64(FILE),
}


@pytest.mark.parametrize("raw", EXACTLY.values(), ids=EXACTLY.keys())
def test_the_first_frame_of_any_usual_file_is_read(raw):
    np.testing.assert_array_equal(decode(raw), 255 * INK)


@pytest.mark.skipif("AVIF" not in FORMATS, reason="Pillow was built without AVIF")
def test_an_avif_file_is_read():
    assert np.abs(decode(encoded(DARK, "AVIF", quality=95)).astype(int) - 255 * INK).max() <= 16


NAMED = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "JPEG XL": b"\xff\x0a\0\0",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "PDF": b"%PDF-1.7\n",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "Photoshop": b"8BPS\0\1",
}


@pytest.mark.parametrize("name", NAMED)
def test_the_error_for_an_unknown_format_names_it_and_the_known_ones(name):
    with pytest.raises(
        Unprocessable, match=rf"inputs\[3\]: an image in the format {name}, which .* PNG, JPEG, WEBP, GIF, TIFF, BMP"
    ):
        decode(b64(NAMED[name] + bytes(100)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_truncated_file_is_said_to_be_damaged(kind):
    whole = base64.b64decode(encoded(DARK, kind))
    with pytest.raises(Unprocessable, match="damaged or incomplete"):
        decode(b64(whole[: len(whole) // 2]))


def test_a_jpeg_of_many_scans_is_refused_with_the_limit():
    with pytest.raises(Unprocessable, match=rf"a JPEG of over {MAX_SCANS} scans, the limit"):
        decode(progressive_jpeg(MAX_SCANS + 1, side=8))


def test_a_jpeg_of_many_segments_is_refused_with_the_limit():
    jpeg = base64.b64decode(encoded(DARK, "JPEG"))
    with pytest.raises(Unprocessable, match=rf"a JPEG of over {MAX_SEGMENTS} segments, the limit"):
        decode(b64(jpeg[:2] + b"\xff\xfe\0\2" * MAX_SEGMENTS + jpeg[2:]))


def test_scans_behind_the_end_of_a_jpeg_do_not_count():
    """Cameras put a film there, which may contain any bytes."""
    jpeg = base64.b64decode(encoded(DARK, "JPEG", quality=95))
    assert np.array_equal(decode(b64(jpeg + b"\xff\xda\0" * 1000)), decode(b64(jpeg)))


def test_scans_in_the_metadata_of_a_jpeg_do_not_count():
    jpeg = base64.b64decode(encoded(DARK, "JPEG", quality=95))
    comment = b"\xff\xfe" + (3002).to_bytes(2, "big") + b"\xff\xda\0" * 1000
    assert np.array_equal(decode(b64(jpeg[:2] + comment + jpeg[2:])), decode(b64(jpeg)))


@pytest.mark.parametrize("hidden_by", [b"\xff\x01", b"\xff\xff", b"\xff\xd0"])
def test_no_marker_hides_the_scans_of_a_jpeg(hidden_by):
    jpeg = base64.b64decode(progressive_jpeg(MAX_SCANS + 100, side=8))
    scan = jpeg.index(b"\xff\xda")
    with pytest.raises(Unprocessable, match="scans, the limit"):
        decode(b64(jpeg[:scan] + hidden_by + jpeg[scan:]))


def test_a_progressive_jpeg_is_read():
    sent = encoded(DARK.convert("RGB"), "JPEG", quality=95, progressive=True)
    assert np.abs(decode(sent).astype(int) - 255 * INK).max() <= 8


def test_a_png_of_many_chunks_is_refused_with_the_limit():
    with pytest.raises(Unprocessable, match=rf"over {MAX_CHUNKS} chunks"):
        decode(with_chunks(chunk(b"IDAT", b"") * MAX_CHUNKS))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_the_pixels_of_every_format_are_limited_before_decoding(kind):
    with pytest.raises(Unprocessable, match="the limit is 5000"):
        decode(encoded(DARK, kind), max_pixels=5000)
