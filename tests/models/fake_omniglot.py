"""A small made-up Omniglot in the three file formats of the real one."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPTS = ("Balinese", "Cyrillic", "Greek")  # one alphabet of each part of the scripts split
ALPHABETS = dict.fromkeys((*SCRIPTS, *(f"Other_{letter}" for letter in "ABCDEFG")), 3) | {
    "Evaluation_(X)": 4,
    "Evaluation_Y": 2,
}
NAMES = [f"{name}/character{i:02}" for name, count in ALPHABETS.items() for i in range(1, count + 1)]
BACKGROUND = [not name.startswith("Evaluation") for name in NAMES]
DRAWINGS, SIDE = 20, 105


def ink() -> np.ndarray:
    """Drawings (characters, drawings, 105, 105) of 0 and 1: each a box of random place and size."""
    rng = np.random.default_rng(0)
    images = np.zeros((len(NAMES), DRAWINGS, SIDE, SIDE), np.uint8)
    for image in images.reshape(-1, SIDE, SIDE):
        (top, left), (high, wide) = rng.integers(5, 50, 2), rng.integers(10, 50, 2)
        image[top : top + high, left : left + wide] = 1
    return images


def write(folder: Path) -> dict[str, Path]:
    """Write all formats, each with a file of the Vinyals split beside it. Returns the path of each format."""
    forms = {"npz": folder / "npz" / "omniglot.npz", "folders": folder / "folders", "zips": folder / "zips"}
    for place in (folder / "npz", folder / "folders", folder / "zips"):
        place.mkdir()
        (place / "omniglot_vinyals_split.json").write_text(json.dumps(vinyals_split()))
    images = ink()
    write_npz(forms["npz"], images)
    write_folders(forms["folders"], images)
    write_zips(forms["zips"], images)
    return forms


def vinyals_split() -> dict[str, list[str]]:
    """Characters of every alphabet in each part, as in the real lists."""
    return {"train": NAMES[0::3], "val": NAMES[1::3], "test": NAMES[2::3]}


def write_npz(path: Path, images: np.ndarray) -> None:
    """The layout of omniglot.npz, rows in random order."""
    order = np.random.default_rng(1).permutation(len(NAMES) * DRAWINGS)
    class_id, drawer = order // DRAWINGS, order % DRAWINGS + 1
    np.savez(
        path,
        images=np.packbits(images.reshape(-1, SIDE, SIDE)[order], axis=2),
        class_id=class_id.astype(np.uint16),
        drawer=drawer.astype(np.uint8),
        split=np.where(BACKGROUND, 0, 1).astype(np.uint8)[class_id],
        class_names=np.array(NAMES),
    )


def pngs(images: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Files with their official names, paper 1 and ink 0 in one bit a pixel, in random order."""
    for index in np.random.default_rng(2).permutation(len(NAMES) * DRAWINGS):
        character, drawing = divmod(int(index), DRAWINGS)
        part = "images_background" if BACKGROUND[character] else "images_evaluation"
        png = io.BytesIO()
        Image.fromarray((1 - images[character, drawing]) * np.uint8(255)).convert("1").save(png, "PNG")
        yield f"{part}/{NAMES[character]}/{character + 1:04}_{drawing + 1:02}.png", png.getvalue()


def write_folders(folder: Path, images: np.ndarray) -> None:
    for name, png in pngs(images):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png)


def write_zips(folder: Path, images: np.ndarray) -> None:
    files = list(pngs(images))
    for part in ("images_background", "images_evaluation"):
        with zipfile.ZipFile(folder / f"{part}.zip", "w") as archive:
            for name, png in files:
                if name.startswith(part):
                    archive.writestr(name, png)
