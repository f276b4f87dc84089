"""The private folder of a running `handful serve`: sockets and metrics."""

import fcntl
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.socket_paths import socket_folder

PREFIX = "handful-run-"
LONGEST = f"/{PREFIX}12345678/pymp-12345678/listener-12345678"
"""The longest path of a socket in such a folder: that of Python's forkserver."""


@contextmanager
def run_folder() -> Iterator[Path]:
    """A private folder, removed at the end. Folders of killed processes are removed first. Raises ValueError if the
    paths of all temporary folders are too long for sockets."""
    place = socket_folder(LONGEST)
    for left in place.glob(f"{PREFIX}*"):
        _remove_if_unused(left)
    folder = Path(tempfile.mkdtemp(dir=place))
    lock = _lock(folder)
    folder = folder.rename(
        place / f"{PREFIX}{folder.name[-8:]}"
    )  # renamed after locking, so that no other process removes it
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    config["tempdir"] = str(folder)  # where the forkserver has its socket
    try:
        yield folder
    finally:
        config.pop("tempdir", None)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_if_unused(folder: Path) -> None:
    """Remove the folder of an ended process of this user."""
    with suppress(OSError):
        lock = _lock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder until the descriptor is closed or the process ends. systemd-tmpfiles keeps locked folders. Raises
    OSError if it is already locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
