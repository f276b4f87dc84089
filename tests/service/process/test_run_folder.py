"""The private folder of a running service."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import socket_paths
from service.process import run_folder
from service.process.run_folder import LONGEST, PREFIX


@pytest.fixture
def place(monkeypatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_private_and_removed_at_the_end(place):
    with run_folder.run_folder() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "socket").touch()
    assert list(place.iterdir()) == []


def test_a_folder_that_a_killed_process_left_is_removed(place):
    (place / f"{PREFIX}left" / "pymp-0").mkdir(parents=True)
    with run_folder.run_folder() as folder:
        assert list(place.iterdir()) == [folder]


def test_a_folder_in_use_and_files_of_other_programs_stay(place):
    (place / "other").mkdir()
    with run_folder.run_folder() as first, run_folder.run_folder() as second:
        assert {one.name for one in place.iterdir()} == {"other", first.name, second.name}


def test_a_long_temporary_folder_is_replaced_by_a_short_one(place, monkeypatch):
    long = place / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with run_folder.run_folder() as folder:
        assert folder.parent == Path("/tmp")
        assert len(os.fsencode(f"{folder.parent}{LONGEST}")) < 104


def test_without_a_short_folder_the_error_names_the_variable_to_set(place, monkeypatch):
    monkeypatch.setattr(socket_paths, "MAX_SOCKET_BYTES", 10)
    with pytest.raises(ValueError, match="set TMPDIR to a shorter one"), run_folder.run_folder():
        pass
