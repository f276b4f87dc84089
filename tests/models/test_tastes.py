"""Ratings of films: made people, and MovieLens in its own format."""

import numpy as np
import pytest
import torch

from models.datasets import dataset_of, item_factors, tastes
from models.datasets.episode import Shape, rng_of

INPUT = {"type": "vector", "length": tastes.FEATURES}
MOVIES = """movieId,title,genres
1,"American President, The (1995)",Comedy|Drama|Romance
7,Metropolis (1927),Drama|Sci-Fi
9,Untitled,(no genres listed)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An imitation of ml-latest-small: ten people who rate three films."""
    path = tmp_path_factory.mktemp("ml-latest-small")
    (path / "movies.csv").write_text(MOVIES)
    lines = [
        f"{user},{film},{rating},964982703" for user in range(1, 11) for film, rating in ((1, 4.0), (7, 5.0), (9, 0.5))
    ]
    (path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]))
    return path


def test_a_film_is_its_genres_its_year_and_how_it_is_rated(folder):
    person = tastes.read(folder)["movielens"][0]
    film = dict(zip((*tastes.GENRES, "year", "mean", "count"), person.films[0].tolist(), strict=True))
    assert {name for name in tastes.GENRES if film[name]} == {"Comedy", "Drama", "Romance"}
    assert film["year"] == pytest.approx(0.25)
    assert film["mean"] == pytest.approx((8 * 4.0 + 5 * 3.5) / 13 - 3.5, abs=1e-5)
    assert person.films[2, : len(tastes.GENRES)].sum() == 0
    assert person.ratings.tolist() == [4.0, 5.0, 0.5]


def test_people_are_to_train_or_to_test_and_films_are_known_by_the_former(folder):
    people = tastes.read(folder)
    assert [len(people[split]) for split in ("movielens", "movielens-test")] == [8, 2]
    assert np.expm1(4 * people["movielens-test"][0].films[0, -1]) == pytest.approx(8, abs=1e-3)


def test_an_episode_has_other_films_to_answer(folder):
    sampler = dataset_of("tastes").episodes(folder, "movielens", INPUT)
    episode = sampler.episode(rng_of(0, 0), Shape(0, 2, 1))
    assert sorted([*episode.support.targets.flatten().tolist(), *episode.targets.flatten().tolist()]) == [0.5, 4.0, 5.0]
    with pytest.raises(ValueError, match="nobody has rated 9 films"):
        sampler.episode(rng_of(0, 0), Shape(0, 5, 4))


def test_made_ratings_are_halves_from_half_to_five():
    sampler = dataset_of("tastes").episodes(None, "made", INPUT)
    episode = sampler.episode(rng_of(0, 0), Shape(0, 10, 200))
    assert episode.support.inputs.shape == (10, tastes.FEATURES)
    assert torch.equal(2 * episode.targets, (2 * episode.targets).round())
    assert (episode.targets.min(), episode.targets.max()) >= (0.5, 0.5)
    assert episode.targets.max() <= 5


def test_films_may_have_factors_of_their_ratings(folder):
    people = tastes.read(folder)
    plain, factored = (people[split][0] for split in ("movielens-test", "movielens-factors-test"))
    assert factored.films.shape == (3, tastes.FEATURES + item_factors.FACTORS)
    np.testing.assert_array_equal(factored.films[:, : tastes.FEATURES], plain.films)


def test_factors_tell_what_one_side_rates_unlike_the_other():
    """Half of the people like the even films, the others the odd ones."""
    people, films = (each.ravel() for each in np.indices((40, 10)))
    left = np.where(people % 2 == films % 2, 1.0, -1.0)
    factors = item_factors.item_factors(people, films, left, 11)
    alike = factors[:10] @ factors[:10].T
    assert (np.sign(alike) == np.where(np.indices((10, 10)).sum(0) % 2, -1, 1)).all()
    assert not factors[10].any()
