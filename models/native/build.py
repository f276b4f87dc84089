"""The compiled kernel: a library that ships with the system, or one compiled at first use into the user's cache.

`python models/native/build.py FOLDER` compiles the libraries that ship, for a machine without a compiler. There, FOLDER
must be on the loader's search path.
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
COMPILE_TIMEOUT_S = 120.0
SHIPPED = {
    "x86_64": {f"glibc-hwcaps/{level}": level for level in ("x86-64-v3", "x86-64-v4")},
    "aarch64": {".": "armv8-a"},
}
"""Subfolders and the processor level that each is compiled for, by machine. The loader takes the best level of
glibc-hwcaps that the processor supports; without one, torch does the work."""


@cache
def library() -> ctypes.CDLL | None:
    """The kernel; None if HANDFUL_NATIVE=0 turns it off or it cannot be built. Torch does the work then."""
    if os.environ.get("HANDFUL_NATIVE") == "0":
        return None
    with suppress(OSError):
        return ctypes.CDLL(shipped_name())
    with suppress(OSError, subprocess.SubprocessError):
        compiler = compiler_path()
        return ctypes.CDLL(str(built(compiler))) if compiler else None
    return None


def shipped_name() -> str:
    """The library's file name, which holds a digest of the source, so that no other version is loaded."""
    return f"libhandful-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"


def ship(folder: Path) -> None:
    """Compile for every processor level of this machine."""
    compiler = compiler_path()
    if compiler is None:
        raise FileNotFoundError("No C++ compiler was found: install one, or set CXX to its path.")
    for place, march in SHIPPED.get(platform.machine(), {}).items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        compile_to(folder / place / shipped_name(), compiler, march)


def compiler_path() -> str | None:
    """The path of this machine's C++ compiler: CXX if it is set, else the first that is found."""
    named = os.environ.get("CXX", "")
    return next(filter(None, map(shutil.which, (named, "c++", "g++", "clang++"))), None)


def built(compiler: str) -> Path:
    """The library for this source, flags, compiler and processor. Compiles it if it is not in the cache."""
    folder = cache_folder()
    path = folder / f"conv4-{key(compiler)}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            compiled = Path(scratch, path.name)
            compile_to(compiled, compiler, "native")
            compiled.replace(path)  # atomic, so that no other process loads half of it
    return path


def compile_to(path: Path, compiler: str, march: str) -> None:
    """Compile for the processor level `march`."""
    command = [compiler, *FLAGS, f"-march={march}", "-o", str(path), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_TIMEOUT_S)


def cache_folder() -> Path:
    """The cache. Only this user may write to it: code from it runs as this user."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "handful"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is owned or writable by other users: remove it, or run chmod 700 on it")
    return folder


def key(compiler: str) -> str:
    """A digest of everything that the compiled code depends on."""
    parts = (SOURCE.read_text(), *FLAGS, compiler, processor())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def processor() -> str:
    """The model and the features of the processor, because different machines may share a cache."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform()
    relevant = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(relevant)})) + platform.machine()


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
