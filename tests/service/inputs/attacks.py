"""Files that are cheap to send and expensive to decode."""

import base64
import struct


def progressive_jpeg(scans: int, side: int = 8000) -> str:
    """A progressive JPEG of `side` x `side` pixels with scans of ten bytes, as base64."""
    tables = b"\xff\xdb" + struct.pack(">H", 67) + b"\0" + b"\1" * 64
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + b"\1\x11\0"
    codes = b"\xff\xc4\0\x14\0\1" + b"\0" * 15 + b"\0" + b"\xff\xc4\0\x15\x10\1\1" + b"\0" * 14 + b"\xe0\0"
    first, more = b"\xff\xda\0\x08\1\1\0\0\0\0", b"\xff\xda\0\x08\1\1\0\1\x3f\0"
    return base64.b64encode(b"\xff\xd8" + tables + frame + codes + first + more * (scans - 1) + b"\xff\xd9").decode()
