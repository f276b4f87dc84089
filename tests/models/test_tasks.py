"""Where episodes come from: sinusoids, their stacking, augmentation, and the splits by name."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.datasets import SPLITS, open_tasks
from models.datasets.augment import affine
from models.datasets.episode import Shape, rng_of, stack, to_device
from models.datasets.noise import NoisyLabels
from models.datasets.sinusoid import Sinusoid
from models.learner import Episode


class Fixed:
    """In the place of a random generator: the amplitude, the phase and the points that a test wants."""

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


def test_sinusoids_fill_the_ranges_of_the_paper():
    waves = [wave_of(Sinusoid().episode(rng_of(0, i), Shape(0, 20, 20))) for i in range(300)]
    amplitudes, phases, points = (np.array(column) for column in zip(*waves, strict=True))
    for values, low, high in ((amplitudes, 0.1, 5.0), (phases, 0.0, np.pi), (points, -5.0, 5.0)):
        assert low - 1e-3 <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high + 1e-3
        assert abs(values.mean() - (low + high) / 2) < 0.05 * (high - low)


def wave_of(episode: Episode) -> tuple[float, float, np.ndarray]:
    """Amplitude, phase and points, found by least squares on a sin(x) - b cos(x)."""
    x = torch.cat([episode.support.inputs, episode.query]).double()
    y = torch.cat([episode.support.targets, episode.targets]).double()
    a, b = torch.linalg.lstsq(torch.cat([x.sin(), -x.cos()], 1), y).solution.flatten().tolist()
    return np.hypot(a, b), np.arctan2(b, a), x.numpy()


def test_a_regression_episode_has_no_ways_and_the_points_asked_for():
    episode = Sinusoid().episode(rng_of(0, 0), Shape(0, 5, 7))
    assert episode.support.ways == 0
    assert episode.support.inputs.shape == episode.support.targets.shape == (5, 1)
    assert episode.query.shape == episode.targets.shape == (7, 1)
    assert episode.support.mask.all()


def test_stacked_episodes_lead_with_an_axis_of_tasks():
    episodes = [Sinusoid().episode(rng_of(0, i), Shape(0, 5, 7)) for i in range(3)]
    together = to_device(stack(episodes), torch.device("cpu"))
    for i, episode in enumerate(episodes):
        one = Episode(
            together.support._replace(inputs=together.support.inputs[i]), together.query[i], together.targets[i]
        )
        assert_close((one.support.inputs, *one[1:]), (episode.support.inputs, *episode[1:]), rtol=0, atol=0)
    assert together.support.mask.shape == (3, 5)


def test_augmentation_moves_ink_and_stays_between_paper_and_ink():
    images = torch.zeros(20, 1, 28, 28)
    images[:, :, 8:20, 10:16] = 1
    moved = affine(images, rng_of(0, 0))
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert 0 <= moved.min() <= moved.max() <= 1 + 1e-6
    assert all(not torch.equal(a, b) for a, b in zip(moved, images, strict=True))
    assert_close(moved.sum((1, 2, 3)) / images.sum((1, 2, 3)), torch.ones(20), rtol=0, atol=0.7)


def test_sinusoids_need_no_data():
    assert isinstance(open_tasks("sinusoid", None), Sinusoid)


def test_an_unknown_split_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'alphabets-tets'.*alphabets-test"):
        open_tasks("alphabets-tets", None)


@pytest.mark.parametrize("split", [split for split in SPLITS if split != "sinusoid"])
def test_a_split_without_its_data_is_refused_with_what_to_give(split):
    with pytest.raises(ValueError, match=f"{split} .*omniglot.npz"):
        open_tasks(split, None)


def test_noisy_labels_exchange_the_share_of_the_support_and_leave_the_queries():
    shape, clean = Shape(0, 2000, 3), Sinusoid()
    pure, noisy = clean.episode(rng_of(0, 0), shape), NoisyLabels(clean, 0.2).episode(rng_of(0, 0), shape)
    moved = (pure.support.inputs != noisy.support.inputs).any(-1).float().mean()
    assert 0.15 < moved < 0.25
    assert_close(noisy.support.inputs.sort(0).values, pure.support.inputs.sort(0).values, rtol=0, atol=0)
    assert_close((noisy.support.targets, noisy.query), (pure.support.targets, pure.query), rtol=0, atol=0)


def test_a_curriculum_goes_from_its_shape_to_a_harder_one():
    easy, hard = Shape(5, 1, 3), Shape(60, 1, 3, alike=0.5)
    assert easy.towards(hard, 0.0) == easy
    assert easy.towards(hard, 1.0) == hard
    assert easy.towards(hard, 0.5) == Shape(32, 1, 3, 0.25)
