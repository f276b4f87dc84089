"""The dataset of photos: its splits, and photos that are decoded when they are drawn."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.datasets.photos import GROCERY, PARTS

INPUT = {"type": "photo", "size": 8, "crop": 1.0, "resample": "bicubic"}
CLASSES = 81


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of one colour, whose red is their class; two of each class to learn from and two to test on."""
    folder = tmp_path_factory.mktemp("photos")
    labels = np.arange(CLASSES).repeat(4)
    jpegs = [jpeg(3 * label) for label in labels]
    np.savez(
        folder / GROCERY,
        jpeg=np.frombuffer(b"".join(jpegs), np.uint8),
        offset=np.cumsum([0, *map(len, jpegs)]),
        label=labels.astype(np.uint8),
        split=np.tile(np.array([0, 1, 2, 2], np.uint8), CLASSES),
    )
    return folder


def jpeg(red: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (12, 10), (red, 0, 0)).save(file, "JPEG", quality=95)
    return file.getvalue()


def test_the_splits_share_no_class_and_hold_all_of_them(folder):
    of_split = [set(dataset_of("photos").episodes(folder, split, INPUT).classes) for split in PARTS]
    assert [len(classes) for classes in of_split] == [45, 12, 24]
    assert set.union(*of_split) == set(range(CLASSES))


def test_a_photo_is_decoded_to_the_size_of_the_card(folder):
    episode = (
        dataset_of("photos").episodes(folder / GROCERY, "grocery-test", INPUT).episode(rng_of(0, 0), Shape(3, 2, 1))
    )
    assert episode.support.inputs.shape == (6, 3, 8, 8)
    reds = episode.support.inputs[:, 0].mean((1, 2))
    torch.testing.assert_close(reds[::2], reds[1::2], atol=0.01, rtol=0)
    torch.testing.assert_close(episode.query[:, 0].mean((1, 2)), reds[::2], atol=0.01, rtol=0)
