"""People who rate films: an episode is one person, some ratings to learn from, and other films to rate.

`made` people are drawn from a model of tastes. MovieLens is read in its own format (ratings.csv and movies.csv of
ml-latest; Harper, Konstan 2015, doi:10.1145/2827872), where the data is there; it is not part of this repository, since
its terms allow no commercial use.
"""

import csv
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.item_factors import item_factors
from models.learner import Episode, Kind, Support

GENRES = (
    "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
    "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
FEATURES = len(GENRES) + 3
"""Of a film: its genres, its year, the mean of its ratings and how many they are, each scaled."""
MIDDLE, PRIOR_RATINGS = 3.5, 5.0
SHRUNK = 2.0
"""Ratings that the offset of a person is shrunk by."""
TEST_SHARE = 5
"""Every fifth person is for the test."""
MOVIELENS = ("movielens", "movielens-test", "movielens-factors", "movielens-factors-test")
Floats = NDArray[np.float32]
Numbers = NDArray[Any]


class Person(NamedTuple):
    """The films (n, FEATURES) that somebody rated, and the ratings (n,)."""

    films: Floats
    ratings: Floats


def features(genres: NDArray[np.bool_], years: Numbers, sums: Numbers, counts: Numbers) -> Floats:
    """Films (n, FEATURES), by their genres (n, 18), years, sums of ratings and numbers of ratings."""
    means = (sums + PRIOR_RATINGS * MIDDLE) / (counts + PRIOR_RATINGS) - MIDDLE
    others = np.stack([(years - 1990) / 20, means, np.log1p(counts) / 4], 1)
    return np.concatenate([genres, others], 1).astype(np.float32)


class People(EpisodeSampler):
    """Episodes of people with enough ratings."""

    def __init__(self, people: list[Person]) -> None:
        self.people = people

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one person and ratings without repeats. Raises ValueError where nobody has so many."""
        fitting = [each for each in self.people if len(each.ratings) >= shape.shots + shape.queries]
        if not fitting:
            raise ValueError(f"nobody has rated {shape.shots + shape.queries} films")
        return episode_of(fitting[int(rng.integers(len(fitting)))], rng, shape)


class Made(EpisodeSampler):
    """Made people who rate made films: each genre is liked or not, alike for genres of one kind.

    A rating is the film's quality, plus the person's offset and tastes, plus noise, rounded to halves from 0.5 to 5.
    """

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """One person and as many films."""
        films, quality = made_films(rng, shape.shots + shape.queries)
        kinds = np.random.default_rng(0).normal(size=(4, FEATURES)) * 0.25
        tastes = rng.normal(size=4) @ kinds + 0.1 * rng.normal(size=FEATURES)
        noise = 0.8 * rng.normal(size=len(films))
        ratings = MIDDLE + 0.4 * rng.normal() + quality + films @ tastes + noise
        person = Person(films, (np.round(2 * ratings) / 2).clip(0.5, 5).astype(np.float32))
        return episode_of(person, rng, shape)


def made_films(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Films (n, FEATURES) and their quality (n,), which the mean of few or many ratings tells."""
    genres = rng.random((count, len(GENRES))) < 0.12
    quality, counts = 0.5 * rng.normal(size=count), np.floor(rng.exponential(30, count))
    sums = counts * (MIDDLE + quality) + np.sqrt(counts) * rng.normal(size=count)
    return features(genres, rng.normal(1995, 12, count), sums, counts), quality.astype(np.float32)


def episode_of(person: Person, rng: np.random.Generator, shape: Shape) -> Episode:
    """Ratings to learn from, and others to answer."""
    order = rng.permutation(len(person.ratings))[: shape.shots + shape.queries]
    films, ratings = (torch.from_numpy(each[order]) for each in person)
    k, values = shape.shots, ratings.unsqueeze(-1)
    return Episode(Support(films[:k], values[:k], torch.ones(k, dtype=torch.bool), ways=0), films[k:], values[k:])


@cache
def read(folder: Path) -> dict[str, list[Person]]:
    """The people of MovieLens: `movielens` to train and `movielens-test`. In the splits of `movielens-factors`, films
    have factors behind their features. What is known of a film's ratings comes from the people to train only."""
    with (folder / "movies.csv").open(encoding="utf-8", newline="") as file:
        films = {row["movieId"]: (i, row) for i, row in enumerate(csv.DictReader(file))}
    rated: dict[int, list[tuple[int, float]]] = {}
    with (folder / "ratings.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rated.setdefault(int(row["userId"]), []).append((films[row["movieId"]][0], float(row["rating"])))
    known = [(user, *each) for user, own in rated.items() if user % TEST_SHARE for each in own]
    people, index, values = (np.array(each) for each in zip(*known, strict=True))
    sums, counts = (np.bincount(index, each, len(films)) for each in (values, np.ones(len(values))))
    rows = [row for _, row in films.values()]
    genres = np.array([[genre in row["genres"].split("|") for genre in GENRES] for row in rows])
    inputs = features(genres, np.array([_year(row["title"]) for row in rows]), sums, counts)
    left = values - MIDDLE - inputs[index, len(GENRES) + 1]
    offsets = np.bincount(people, left) / (np.bincount(people) + SHRUNK)
    factors = item_factors(people, index, left - offsets[people], len(films))
    return _parted("", inputs, rated) | _parted("-factors", np.hstack([inputs, factors]), rated)


def _parted(name: str, inputs: Floats, rated: Mapping[int, list[tuple[int, float]]]) -> dict[str, list[Person]]:
    """The people to train and those to test, with films as these inputs."""
    people = {user: Person(*_arrays(inputs, own)) for user, own in rated.items()}
    return {
        f"movielens{name}": [person for user, person in people.items() if user % TEST_SHARE],
        f"movielens{name}-test": [person for user, person in people.items() if not user % TEST_SHARE],
    }


def _arrays(inputs: Floats, own: list[tuple[int, float]]) -> tuple[Floats, Floats]:
    return inputs[[i for i, _ in own]], np.array([rating for _, rating in own], np.float32)


def _year(title: str) -> float:
    found = re.search(r"\((\d{4})\)\s*$", title)
    return float(found[1]) if found else 1990.0


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> EpisodeSampler:
    if split == "made":
        return Made()
    assert path is not None
    return People(read(path)[split])


TASTES = Dataset(
    name="tastes",
    kind=Kind.REGRESSION,
    input_type="vector",
    splits={"made": None} | dict.fromkeys(MOVIELENS, "ml-latest-small"),
    test_split="made",
    open=_open,
    source="the folder of a MovieLens data set with ratings.csv and movies.csv",
)
