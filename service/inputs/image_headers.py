"""Checks on the headers of an image file before decoding."""

import re
from collections.abc import Iterator

from service.errors import Unprocessable

MAX_CHUNKS = 20_000
"""Maximum chunks of a PNG. Encoders write chunks of 8 kB or more."""
MAX_SCANS = 64
"""Maximum scans of a JPEG. A progressive JPEG has about ten. Each scan takes time for every pixel."""

MAX_SEGMENTS = 20_000
"""Segments of a JPEG, such as tables and comments. A colour profile of 16 MB has 256."""

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
MARKER = re.compile(rb"\xff([^\xff\x00\x01\xd0-\xd7])", re.DOTALL)
"""What begins a segment: neither data of a scan nor a marker that stands alone."""

NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that the pixels depend on."""
EXIF, EXIF_BYTES = b"eXIf", 65536
"""Exif data with the orientation. Larger Exif data is skipped."""

SIGNATURES = {
    PNG: "PNG", JPEG: "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "BigTIFF",
    b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL ": "JPEG XL", b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"%PDF": "PDF", b"8BPS": "Photoshop", b"\0\0\1\0": "ICO", b"<svg": "SVG", b"<?xml": "SVG", b"qoif": "QOI",
    b"\x76\x2f\x31\x01": "OpenEXR",
}  # fmt: skip
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"hevc": "HEIC",
          b"mif1": "HEIF", b"msf1": "HEIF"}  # fmt: skip
"""Formats of files that start with an ISO `ftyp` box, by brand."""


def format_of(encoded: bytes) -> str | None:
    """The name of the format, by the first bytes of a file."""
    if encoded[4:8] == b"ftyp":
        return BRANDS.get(encoded[8:12])
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in SIGNATURES.items() if encoded.startswith(start)), None)


def checked(encoded: bytes, field: str) -> bytes:
    """The file; a PNG without chunks that its pixels do not need.

    Raises:
        Unprocessable: The file has too many scans or chunks.
    """
    if encoded.startswith(PNG):
        return PNG + b"".join(_needed_chunks(encoded, field))
    if encoded.startswith(JPEG):
        _check_jpeg(encoded, field)
    return encoded


def _check_jpeg(encoded: bytes, field: str) -> None:
    scans = 0
    for count, marker in enumerate(_markers(encoded), 1):
        scans += marker == START_OF_SCAN
        if scans > MAX_SCANS:
            raise Unprocessable(
                f"{field}: a JPEG of over {MAX_SCANS} scans, the limit. Save it as a baseline JPEG.", field=field
            )
        if count > MAX_SEGMENTS:
            raise Unprocessable(
                f"{field}: a JPEG of over {MAX_SEGMENTS} segments, the limit. Save it again.", field=field
            )


def _markers(encoded: bytes) -> Iterator[int]:
    """The segments of a JPEG up to its end. Cameras put films and further images behind it."""
    start = 2
    while (found := MARKER.search(encoded, start)) and (marker := found[1][0]) != END_OF_IMAGE:
        yield marker
        start = found.end() + int.from_bytes(encoded[found.end() : found.end() + 2], "big")


def _needed_chunks(encoded: bytes, field: str) -> Iterator[bytes]:
    """The chunks without colour profiles, texts and further frames, which may be large or compressed."""
    start = len(PNG)
    for _ in range(MAX_CHUNKS):
        if start >= len(encoded):
            return
        length, kind = int.from_bytes(encoded[start : start + 4], "big"), encoded[start + 4 : start + 8]
        end = start + 12 + length
        if kind in NEEDED or (kind == EXIF and length <= EXIF_BYTES):
            yield encoded[start:end]
        start = end
    raise Unprocessable(f"{field}: the PNG has over {MAX_CHUNKS} chunks, the limit. Save it again.", field=field)
