"""The compiled kernel: built by the system's compiler at first use, and kept in the user's cache."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("conv4.cpp")
FLAGS = ("-std=gnu++17", "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC")
PATIENCE = 120.0
"""Seconds after which a compiler is given up."""


@cache
def library() -> ctypes.CDLL | None:
    """The kernel, or None where it is turned off by HANDFUL_NATIVE=0 or cannot be built: torch then does its work."""
    if os.environ.get("HANDFUL_NATIVE") == "0" or not (compiler := compiler_path()):
        return None
    try:
        return ctypes.CDLL(str(built(compiler)))
    except (OSError, subprocess.SubprocessError):
        return None


def compiler_path() -> str | None:
    """The C++ compiler of this machine."""
    named = os.environ.get("CXX", "")
    return next(filter(None, map(shutil.which, (named, "c++", "g++", "clang++"))), None)


def built(compiler: str) -> Path:
    """The library for this source, these flags, this compiler and this processor, compiled unless it is there."""
    folder = cache_folder()
    path = folder / f"conv4-{key(compiler)}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch, path.name)
            command = [compiler, *FLAGS, "-o", str(made), str(SOURCE)]
            subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
            made.replace(path)  # at once, so that no other process loads half of it
    return path


def cache_folder() -> Path:
    """A folder of this user's alone: who can write there can run code as this user."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "handful"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} can be written by others")
    return folder


def key(compiler: str) -> str:
    """What the compiled code depends on, as a name."""
    parts = (SOURCE.read_text(), *FLAGS, compiler, processor())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def processor() -> str:
    """The model and the abilities of the processor: a cache may be shared by unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform()
    told = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(told)})) + platform.machine()
