"""The real Omniglot, if available: its size, its splits, and an independent copy of it."""

import numpy as np
import pytest

from models.datasets import omniglot
from models.datasets.characters import Characters, load
from models.datasets.omniglot import CharacterSampler
from tests.data import OMNIGLOT, needs_omniglot

pytestmark = needs_omniglot


@pytest.fixture(scope="module")
def real() -> Characters:
    return load(OMNIGLOT, 28)


@pytest.fixture
def loaded_once(real, monkeypatch) -> None:
    monkeypatch.setattr(omniglot, "load", lambda path, size: real)


def opened(split: str) -> CharacterSampler:
    return omniglot.OMNIGLOT.episodes(OMNIGLOT, split, {"type": "drawing", "size": 28})


def beside(name: str) -> pytest.MarkDecorator:
    missing = OMNIGLOT is None or not OMNIGLOT.with_name(name).is_file()
    return pytest.mark.skipif(missing, reason=f"needs {name} beside omniglot.npz")


def test_omniglot_has_1623_characters_of_50_alphabets(real):
    assert real.images.shape == (1623, 20, 28, 28)
    assert (real.background.sum(), (~real.background).sum()) == (964, 659)
    assert len({name.split("/")[0] for name in real.names}) == 50
    assert 0.02 < real.images.mean() < 0.2


@beside("omniglot28.npz")
def test_drawings_equal_an_independent_copy_at_28_by_28(real):
    with np.load(OMNIGLOT.with_name("omniglot28.npz")) as small:
        order = np.lexsort((small["drawer"], small["class_id"]))
        ink = small["images"][order].reshape(1623, 20, 28, 28)
    assert np.abs(ink - 255 * real.images).max() <= 1.01


@beside("omniglot_vinyals_split.json")
@pytest.mark.parametrize(("part", "classes"), [("train", 4112), ("val", 688), ("test", 1692), ("trainval", 4800)])
@pytest.mark.usefixtures("loaded_once")
def test_the_vinyals_split_has_the_published_sizes(part, classes):
    assert len(opened(f"vinyals-{part}").classes) == classes


@pytest.mark.parametrize(("part", "classes"), [("trainval", 4 * 964), ("test", 659)])
@pytest.mark.usefixtures("loaded_once")
def test_the_alphabets_split_has_lakes_sizes(part, classes):
    assert len(opened(f"alphabets-{part}").classes) == classes


@pytest.mark.parametrize("scheme", [pytest.param("vinyals", marks=beside("omniglot_vinyals_split.json")), "alphabets"])
@pytest.mark.usefixtures("loaded_once")
def test_train_validation_and_test_share_no_character(scheme):
    parts = [set(opened(f"{scheme}-{part}").classes[:, 0].tolist()) for part in ("train", "val", "test")]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 1623
