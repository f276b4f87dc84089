"""Omniglot, with made-up data in the three file formats of the real one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.datasets.characters import Characters, load, shrink
from models.datasets.episode import Shape, rng_of
from models.datasets.omniglot import OMNIGLOT, CharacterSampler
from models.datasets.pool import EncodableSampler
from models.datasets.splits import SPLITS
from tests.models import fake_omniglot
from tests.models.fake_omniglot import NAMES

FORMS = ("npz", "folders", "zips")


@pytest.fixture(scope="module")
def forms(tmp_path_factory) -> dict[str, Path]:
    return fake_omniglot.write(tmp_path_factory.mktemp("omniglot"))


@pytest.fixture(scope="module")
def data(forms) -> Characters:
    return load(forms["npz"], 28)


def opened(path: Path, split: str, size: int = 28, **options) -> CharacterSampler:
    return OMNIGLOT.episodes(path, split, {"type": "drawing", "size": size}, **options)


def characters(split: CharacterSampler) -> set[int]:
    return {int(member) for member, _ in split.classes}


@pytest.mark.parametrize("form", FORMS)
def test_all_file_formats_load_the_same_drawings(forms, form):
    found, ink = load(forms[form], 28), fake_omniglot.ink()
    assert found.names == NAMES
    assert found.background.tolist() == fake_omniglot.BACKGROUND
    assert found.images.dtype == np.float32
    expected = np.stack([[shrink(drawing, 28) for drawing in drawings] for drawings in ink])
    np.testing.assert_array_equal(found.images, expected)


def test_shrinking_averages_areas():
    ink = np.zeros((56, 56), np.uint8)
    ink[0:2, 0:2], ink[2:4, 2] = 1, 1
    small = shrink(ink, 28)
    assert small[0, 0] == 1
    assert small[1, 1] == pytest.approx(0.5, abs=1 / 255)
    assert small.sum() == pytest.approx(1.5, abs=1 / 255)


def test_the_alphabets_split_validates_on_five_background_alphabets(forms, data):
    parts = {part: characters(opened(forms["npz"], f"alphabets-{part}")) for part in ("train", "val", "test")}
    alphabets = {part: {data.names[i].split("/")[0] for i in members} for part, members in parts.items()}
    assert set.union(*parts.values()) == set(range(len(NAMES)))
    assert sum(map(len, alphabets.values())) == len(fake_omniglot.ALPHABETS)
    assert len(alphabets["val"]) == 5
    assert all(name.startswith("Evaluation") for name in alphabets["test"])
    assert characters(opened(forms["npz"], "alphabets-trainval")) == parts["train"] | parts["val"]


@pytest.mark.parametrize("form", FORMS)
def test_the_vinyals_split_comes_from_the_file_beside_the_data(forms, form):
    lists = fake_omniglot.vinyals_split()
    for part, names in lists.items():
        assert {NAMES[i] for i in characters(opened(forms[form], f"vinyals-{part}"))} == set(names)
    both = {NAMES[i] for i in characters(opened(forms[form], "vinyals-trainval"))}
    assert both == set(lists["train"]) | set(lists["val"])


def test_rotations_are_classes_in_training_and_in_all_vinyals_splits(forms):
    for split in SPLITS:
        found = opened(forms["npz"], split)
        turns = 4 if split.startswith("vinyals") or "train" in split else 1
        assert len(found.classes) == turns * len(characters(found)), split


def test_a_rotated_class_has_rotated_drawings(data):
    turned = CharacterSampler(data, np.array([0]), forms=4)
    drawn = turned.examples(np.arange(80)).reshape(4, 20, 28, 28)
    for turn in range(4):
        np.testing.assert_array_equal(drawn[turn], np.rot90(data.images[0], turn, axes=(1, 2)))


def test_an_episode_has_different_drawings_of_each_class_in_order(data):
    episode = CharacterSampler(data, np.arange(6), forms=1).episode(rng_of(0, 3), Shape(4, 2, 3))
    support, query, targets = episode
    assert support.inputs.shape == (8, 1, 28, 28)
    assert query.shape == (12, 1, 28, 28)
    assert support.targets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    found = [origin(data, image) for image in torch.cat([support.inputs, query])]
    assert len(set(found)) == 20
    classes = [{c for (c, _), t in zip(found, [*support.targets, *targets], strict=True) if t == k} for k in range(4)]
    assert [len(c) for c in classes] == [1] * 4
    assert len(set.union(*classes)) == 4


def origin(data: Characters, image: torch.Tensor) -> tuple[int, int]:
    """The character and the drawing that an image is of."""
    (found,) = np.argwhere((data.images == image.squeeze().numpy()).all((2, 3)))
    return int(found[0]), int(found[1])


def test_within_draws_all_classes_from_one_alphabet(forms, data):
    drawn, found = [], opened(forms["npz"], "alphabets-val", within=True)
    for i in range(30):
        episode = found.episode(rng_of(1, i), Shape(3, 1, 1))
        alphabets = {data.names[origin(data, image)[0]].split("/")[0] for image in episode.support.inputs}
        assert len(alphabets) == 1
        drawn.append(alphabets.pop())
    assert len(set(drawn)) == 5


def test_similar_classes_come_from_as_few_alphabets_as_possible(forms, data):
    found = opened(forms["npz"], "alphabets-val")
    for i in range(10):
        episode = found.episode(rng_of(1, i), Shape(6, 1, 1, similar=1.0))
        assert len({data.names[origin(data, image)[0]].split("/")[0] for image in episode.query}) == 2


def test_mirrored_characters_are_classes_of_their_own(data):
    mirrored = CharacterSampler(data, np.array([0]), forms=8)
    drawn = mirrored.examples(np.arange(160)).reshape(8, 20, 28, 28)
    np.testing.assert_array_equal(drawn[4], data.images[0, ..., ::-1])


def test_an_unlabelled_class_is_one_distorted_drawing(forms, data):
    found = opened(forms["npz"], "vinyals-train", unlabelled=True, forms=1)
    episode = found.episode(rng_of(0, 0), Shape(3, 1, 2))
    sources = [origin(data, image) for image in (*episode.support.inputs, *episode.query)]
    assert sources[3:] == [source for source in sources[:3] for _ in range(2)]
    assert len(set(sources)) == 3


def test_within_skips_alphabets_with_too_few_characters(forms, data):
    found = opened(forms["npz"], "alphabets-test", within=True)
    for i in range(10):
        episode = found.episode(rng_of(2, i), Shape(3, 1, 1))
        assert all(data.names[origin(data, image)[0]].startswith("Evaluation_(X)") for image in episode.query)


@pytest.mark.parametrize("augment", [None, "affine", "elastic"])
def test_the_seed_determines_the_episode(forms, augment):
    found, shape = opened(forms["npz"], "vinyals-train", augment=augment), Shape(5, 1, 1)
    first, same, other = (found.episode(rng_of(*key), shape) for key in ((3, 8), (3, 8), (3, 9)))
    assert_close(first, same, rtol=0, atol=0)
    assert not torch.equal(first.query, other.query)


def test_drawings_have_the_size_that_the_model_takes(forms):
    episode = opened(forms["npz"], "alphabets-test", size=40).episode(rng_of(0, 0), Shape(3, 1, 1))
    assert episode.support.inputs.shape == (3, 1, 40, 40)
    assert 0 <= episode.query.min() < episode.query.max() <= 1


def test_too_many_ways_or_shots_are_refused_with_the_limit(forms):
    found = opened(forms["npz"], "alphabets-test")
    with pytest.raises(ValueError, match=r"7 ways .* there are 6 classes"):
        found.episode(rng_of(0, 0), Shape(7, 1, 1))
    with pytest.raises(ValueError, match=r"shots \+ queries is 21: .* 20 drawings"):
        found.episode(rng_of(0, 0), Shape(2, 11, 10))


def test_a_folder_without_the_data_is_refused_with_the_missing_names(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"images_background/ nor images_background\.zip"):
        load(tmp_path, 28)


def test_undistorted_drawings_are_encoded_once_in_the_same_episodes(forms):
    plain = opened(forms["npz"], "alphabets-val")
    asked = []

    def encode(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return images.flatten(1) + 1

    encoded, shape = plain.encoded(encode), Shape(5, 2, 8)
    for own, other in zip(plain.episodes(shape, 20, 0), encoded.episodes(shape, 20, 0), strict=True):
        assert torch.equal(own.support.inputs.flatten(1) + 1, other.support.inputs)
        assert torch.equal(own.query.flatten(1) + 1, other.query)
        assert torch.equal(own.targets, other.targets)
    assert sum(asked) <= len(plain.classes) * 20
    features, classes = plain.labelled()
    assert len(features) == len(classes) == len(plain.classes) * 20


def test_distorted_drawings_cannot_be_encoded_once(forms):
    assert not isinstance(opened(forms["npz"], "vinyals-train", augment="elastic"), EncodableSampler)
