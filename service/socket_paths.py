"""Where Unix sockets can be: their paths are limited to about a hundred bytes."""

import os
import tempfile
from pathlib import Path

MAX_SOCKET_BYTES = 103
"""Maximum length of a Unix socket's path: 107 on Linux, 103 on macOS."""


def socket_folder(longest: str) -> Path:
    """The temporary folder, or /tmp where its path is too long.

    Args:
        longest: The longest path of a socket within the folder, beginning with a slash.

    Raises:
        ValueError: No temporary folder has a path that is short enough.
    """
    for place in (tempfile.gettempdir(), "/tmp"):
        if len(os.fsencode(place + longest)) <= MAX_SOCKET_BYTES and os.access(place, os.W_OK):
            return Path(place)
    raise ValueError(f"The path {tempfile.gettempdir()} is too long for Unix sockets: set TMPDIR to a shorter one.")
