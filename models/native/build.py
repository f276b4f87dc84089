"""The compiled kernel: what ships with the system, or built by its compiler at first use and kept in the user's cache.

`python models/native/build.py FOLDER` makes what ships: for the loader's search path, of a machine without a compiler.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("conv4.cpp")
FLAGS = ("-std=gnu++17", "-O3", "-ffp-contract=fast", "-shared", "-fPIC")
PATIENCE = 120.0
"""Seconds after which a compiler is given up."""
SHIPPED = {
    "x86_64": {f"glibc-hwcaps/{level}": level for level in ("x86-64-v3", "x86-64-v4")},
    "aarch64": {".": "armv8-a"},
}
"""Folders, and the processors that theirs is for. Of glibc-hwcaps the loader takes the best that the processor at hand
can run; one that can run none has torch do the work."""


@cache
def library() -> ctypes.CDLL | None:
    """The kernel, or None where it is turned off by HANDFUL_NATIVE=0 or cannot be had: torch then does its work."""
    if os.environ.get("HANDFUL_NATIVE") == "0":
        return None
    with suppress(OSError):
        return ctypes.CDLL(shipped_name())
    with suppress(OSError, subprocess.SubprocessError):
        compiler = compiler_path()
        return ctypes.CDLL(str(built(compiler))) if compiler else None
    return None


def shipped_name() -> str:
    """A name that only this source's kernel has, so that no other version's is loaded."""
    return f"libhandful-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"


def ship(folder: Path) -> None:
    """Compile for every processor of this machine's kind."""
    compiler = compiler_path()
    if compiler is None:
        raise FileNotFoundError("There is no C++ compiler: install one, or name it in CXX.")
    for place, march in SHIPPED.get(platform.machine(), {}).items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        compile_to(folder / place / shipped_name(), compiler, march)


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
            compile_to(made, compiler, "native")
            made.replace(path)  # at once, so that no other process loads half of it
    return path


def compile_to(path: Path, compiler: str, march: str) -> None:
    """Compile for processors that have what `march` names."""
    command = [compiler, *FLAGS, f"-march={march}", "-o", str(path), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


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


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
