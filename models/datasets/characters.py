"""The files of Omniglot (Lake et al. 2015): 1,623 characters of 50 alphabets, 20 drawings each; ink is 1, paper 0."""

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DRAWINGS = 20


class Characters(NamedTuple):
    """All drawings.

    images      (characters, 20, size, size) float32
    names       "Alphabet/characterNN" of each character
    background  (characters,) bool: whether the character is of a background alphabet
    """

    images: NDArray[np.float32]
    names: list[str]
    background: NDArray[np.bool_]


@cache
def load(path: Path, size: int) -> Characters:
    """Read Omniglot and shrink its drawings to `size` x `size`.

    Args:
        path: `omniglot.npz`, or a folder with the official `images_background` and `images_evaluation`, as folders or
            as zip files.
        size: Pixels of each side.

    Raises:
        FileNotFoundError: The folder lacks one of the two.
    """
    if path.suffix == ".npz":
        return _from_npz(path, size)
    parts = [("images_background", True), ("images_evaluation", False)]
    found = [(name, image, background) for part, background in parts for name, image in _drawings(path, part, size)]
    return _collect(found)


def _from_npz(path: Path, size: int) -> Characters:
    with np.load(path, allow_pickle=False) as packed:
        ink = np.unpackbits(packed["images"], axis=2, count=105)
        order = np.lexsort((packed["drawer"], packed["class_id"]))
        names, split = packed["class_names"], packed["split"][order]
    images = np.stack([shrink(image, size) for image in ink[order]])
    return Characters(images.reshape(-1, DRAWINGS, size, size), [str(n) for n in names], split[::DRAWINGS] == 0)


def _drawings(path: Path, part: str, size: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each drawing with the name of its character, in the order of characters and drawers."""
    if (path / part).is_dir():
        for file in sorted((path / part).glob("*/*/*.png")):
            yield f"{file.parts[-3]}/{file.parts[-2]}", read_png(file.read_bytes(), size)
        return
    archive = path / f"{part}.zip"
    if not archive.is_file():
        raise FileNotFoundError(
            f"{path} holds neither {part}/ nor {part}.zip; give a folder with both, or omniglot.npz"
        )
    with zipfile.ZipFile(archive) as zipped:
        for name in sorted(n for n in zipped.namelist() if n.endswith(".png")):
            yield "/".join(name.split("/")[-3:-1]), read_png(zipped.read(name), size)


def read_png(png: bytes, size: int) -> NDArray[np.float32]:
    """Read a drawing from the bytes of a PNG of black ink on white paper."""
    return shrink(1 - np.asarray(Image.open(io.BytesIO(png)).convert("1"), dtype=np.uint8), size)


def shrink(ink: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Resize a square drawing of 0 and 1 to `size` x `size`. Each pixel is the mean of its area."""
    box = Image.fromarray(ink * np.uint8(255)).resize((size, size), Image.Resampling.BOX)
    return np.asarray(box, dtype=np.float32) / np.float32(255)


def _collect(found: list[tuple[str, NDArray[np.float32], bool]]) -> Characters:
    images = np.stack([image for _, image, _ in found])
    firsts = found[::DRAWINGS]
    names, background = [name for name, _, _ in firsts], np.array([background for _, _, background in firsts])
    return Characters(images.reshape(-1, DRAWINGS, *images.shape[1:]), names, background)
