"""Datasets: the registry, sinusoids, stacked episodes and augmentation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.datasets import DATASETS, dataset_of
from models.datasets.augment import affine
from models.datasets.episode import Shape, rng_of, stack, to_device
from models.datasets.noise import NoisyLabels
from models.datasets.sinusoid import Sinusoid
from models.learner import Episode


class Fixed:
    """A random generator that returns given values: amplitude, phase and points."""

    def __init__(self, *values) -> None:
        self.values = iter(values)

    def uniform(self, low: float, high: float, size=None):
        value = next(self.values)
        assert np.all((low <= np.asarray(value)) & (np.asarray(value) <= high))
        return value


def test_a_sinusoid_subtracts_its_phase():
    x = np.array([[0.0], [np.pi / 2], [1.0]])
    episode = Sinusoid().episode(Fixed(2.0, np.pi / 2, x), Shape(0, 2, 1))
    assert_close(episode.support.targets, torch.tensor([[-2.0], [0.0]]), atol=1e-6, rtol=0)
    assert_close(episode.targets, torch.tensor([[2.0 * np.sin(1.0 - np.pi / 2)]], dtype=torch.float32))


def test_sinusoids_cover_the_ranges_of_the_paper():
    waves = [wave_of(Sinusoid().episode(rng_of(0, i), Shape(0, 20, 20))) for i in range(300)]
    amplitudes, phases, points = (np.array(column) for column in zip(*waves, strict=True))
    for values, low, high in ((amplitudes, 0.1, 5.0), (phases, 0.0, np.pi), (points, -5.0, 5.0)):
        assert low - 1e-3 <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high + 1e-3
        assert abs(values.mean() - (low + high) / 2) < 0.05 * (high - low)


def wave_of(episode: Episode) -> tuple[float, float, np.ndarray]:
    """Amplitude, phase and points, by least squares on a sin(x) - b cos(x)."""
    x = torch.cat([episode.support.inputs, episode.query]).double()
    y = torch.cat([episode.support.targets, episode.targets]).double()
    a, b = torch.linalg.lstsq(torch.cat([x.sin(), -x.cos()], 1), y).solution.flatten().tolist()
    return np.hypot(a, b), np.arctan2(b, a), x.numpy()


def test_a_regression_episode_has_no_ways_and_the_requested_points():
    episode = Sinusoid().episode(rng_of(0, 0), Shape(0, 5, 7))
    assert episode.support.ways == 0
    assert episode.support.inputs.shape == episode.support.targets.shape == (5, 1)
    assert episode.query.shape == episode.targets.shape == (7, 1)
    assert episode.support.mask.all()


def test_stacked_episodes_have_a_leading_task_axis():
    episodes = [Sinusoid().episode(rng_of(0, i), Shape(0, 5, 7)) for i in range(3)]
    together = to_device(stack(episodes), torch.device("cpu"))
    for i, episode in enumerate(episodes):
        one = Episode(
            together.support._replace(inputs=together.support.inputs[i]), together.query[i], together.targets[i]
        )
        assert_close((one.support.inputs, *one[1:]), (episode.support.inputs, *episode[1:]), rtol=0, atol=0)
    assert together.support.mask.shape == (3, 5)


def test_augmentation_changes_drawings_and_keeps_values_between_0_and_1():
    images = torch.zeros(20, 1, 28, 28)
    images[:, :, 8:20, 10:16] = 1
    moved = affine(images, rng_of(0, 0))
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert 0 <= moved.min() <= moved.max() <= 1 + 1e-6
    assert all(not torch.equal(a, b) for a, b in zip(moved, images, strict=True))
    assert_close(moved.sum((1, 2, 3)) / images.sum((1, 2, 3)), torch.ones(20), rtol=0, atol=0.7)


DRAWING, VECTOR = {"type": "drawing", "size": 28}, {"type": "vector", "length": 1}
SPLITS = [(name, split) for name, dataset in DATASETS.items() for split in dataset.splits]


def test_every_dataset_has_its_test_split():
    assert all(dataset.test_split in dataset.splits for dataset in DATASETS.values())
    assert all(dataset.name == name for name, dataset in DATASETS.items())


def test_sinusoids_need_no_data():
    assert isinstance(dataset_of("sinusoid").episodes(None, "sinusoid", VECTOR), Sinusoid)


def test_an_unknown_dataset_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"no dataset is called 'omniglott'; there are .*omniglot, .*sinusoid"):
        dataset_of("omniglott")


def test_an_unknown_split_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"omniglot has no split 'alphabets-tets'.*alphabets-test"):
        dataset_of("omniglot").episodes(None, "alphabets-tets", DRAWING)


def test_inputs_of_another_type_are_refused():
    with pytest.raises(ValueError, match="omniglot has inputs of type drawing; the model takes vector"):
        dataset_of("omniglot").episodes(Path("omniglot.npz"), "vinyals-test", VECTOR)


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="sinusoid has no option 'within'; its options are none"):
        dataset_of("sinusoid").episodes(None, "sinusoid", VECTOR, within=True)
    with pytest.raises(ValueError, match="omniglot has no option 'sice'; its options are within, augment"):
        dataset_of("omniglot").episodes(Path("omniglot.npz"), "vinyals-test", DRAWING, sice=40)


@pytest.mark.parametrize(("name", "split"), [each for each in SPLITS if DATASETS[each[0]].data_option(each[1])])
def test_a_split_without_its_data_is_refused_with_the_option_to_give(name, split):
    with pytest.raises(ValueError, match=rf"{name} needs data: give --data "):
        dataset_of(name).episodes(None, split, DRAWING)


def test_a_setting_is_titled_by_split_group_and_shape():
    omniglot, sinusoid = dataset_of("omniglot"), dataset_of("sinusoid")
    assert omniglot.title("vinyals-test", Shape(5, 1, 5), within=False) == "vinyals-test, 5-way 1-shot"
    within = omniglot.title("alphabets-test", Shape(20, 5, 5), within=True)
    assert within == "alphabets-test, within one alphabet, 20-way 5-shot"
    assert sinusoid.title("sinusoid", Shape(0, 10, 5), within=False) == "K=10"


def test_noisy_labels_change_a_share_of_the_support_and_no_queries():
    shape, clean = Shape(0, 2000, 3), Sinusoid()
    pure, noisy = clean.episode(rng_of(0, 0), shape), NoisyLabels(clean, 0.2).episode(rng_of(0, 0), shape)
    moved = (pure.support.inputs != noisy.support.inputs).any(-1).float().mean()
    assert 0.15 < moved < 0.25
    assert_close(noisy.support.inputs.sort(0).values, pure.support.inputs.sort(0).values, rtol=0, atol=0)
    assert_close((noisy.support.targets, noisy.query), (pure.support.targets, pure.query), rtol=0, atol=0)


def test_a_curriculum_moves_from_one_shape_to_a_harder_one():
    easy, hard = Shape(5, 1, 3), Shape(60, 1, 3, similar=0.5)
    assert easy.towards(hard, 0.0) == easy
    assert easy.towards(hard, 1.0) == hard
    assert easy.towards(hard, 0.5) == Shape(32, 1, 3, 0.25)
