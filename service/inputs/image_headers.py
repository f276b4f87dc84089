"""Checks on the headers of an image file before decoding."""

from collections.abc import Iterator

from service.errors import Unprocessable

MAX_CHUNKS = 20_000
"""Maximum chunks of a PNG. Encoders write chunks of 8 kB or more."""
MAX_SCANS = 64
"""Maximum scans of a JPEG. A progressive JPEG has about ten. Each scan takes time for every pixel."""

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
START_OF_SCAN = b"\xff\xda"

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
    if encoded.startswith(JPEG) and (scans := encoded.count(START_OF_SCAN)) > MAX_SCANS:
        raise Unprocessable(
            f"{field}: the JPEG has {scans} scans; the limit is {MAX_SCANS}. Save it as a baseline JPEG.", field=field
        )
    return encoded


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
