"""Temperatures and thresholds of a classifier by number of classes and examples, on validation classes."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.datasets.episode import EpisodeSampler, Shape, on_device, rng_of, to_device
from models.datasets.pool import EncodableSampler
from models.datasets.texts import TextSampler
from models.encoders.precision import encoding
from models.familiarity import familiarity
from models.functional import encode_many
from models.learner import Episode, Learner
from models.training.calibration import calibration_error, fit_temperature
from models.training.evaluation import Predictions

WAYS, SHOTS = (2, 5, 10, 20, 45, 150), (1, 2, 5, 10)
QUERIES = 5
COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
ANSWERS, ENCODED_ANSWERS = 6000, 2000
"""Queries of one shape, at about which episodes end; fewer where each is encoded anew."""
MOST_APART = 2.0
"""The largest factor between the temperature of a shape and the usual one. Answers that are all right would make the
model certain of everything."""
FEWEST, MOST = 10, 100
"""Episodes of one shape."""


class Task(NamedTuple):
    """What was found for one shape. `familiar`: quantiles of the familiarity of queries, at `COVERAGES`; None for
    learners whose features are no vectors that all clients share."""

    shape: Shape
    temperature: float
    error: float
    familiar: list[float] | None


def task_calibration(
    learner: Learner, sampler: EpisodeSampler, seed: int, device: torch.device, usual: float
) -> Iterator[Task]:
    """The temperature of each shape that the validation classes allow, smallest first.

    The temperature is fitted on every second episode, and its calibration error measured on the others.

    Args:
        learner: A classifier.
        sampler: Episodes of its validation split.
        seed: Seed of the episodes.
        device: Where to compute.
        usual: The temperature without evidence.
    """
    encoder = Encoder(learner, device)
    tasks, prepare = sampler, encoder.episode
    if isinstance(sampler, EncodableSampler):
        tasks, prepare = sampler.encoded(encoder), partial(to_device, device=device)
    answers = ANSWERS if isinstance(sampler, EncodableSampler | TextSampler) else ENCODED_ANSWERS
    for shape in shapes(learner, sampler):
        episodes = min(MOST, max(FEWEST, answers // (shape.ways * QUERIES)))
        with torch.no_grad():
            drawn = [prepare(each) for each in tasks.episodes(shape, episodes, seed)]
            found = [learner.predict(learner.adapt(each.support), each.query) for each in drawn]
        predicted = [Predictions(*each) for each in zip(found, (each.targets for each in drawn), strict=True)]
        fitted = fit_temperature(predicted[::2], sampler.examples_count, usual)
        temperature = min(max(fitted, usual / MOST_APART), usual * MOST_APART)
        familiar = _quantiles(torch.cat(list(map(_familiar, drawn)))) if learner.several_labels else None
        yield Task(shape, temperature, calibration_error(predicted[1::2], temperature), familiar)


def shapes(learner: Learner, sampler: EpisodeSampler) -> list[Shape]:
    """The shapes that the learner takes and the classes allow."""
    most = min(learner.max_ways or WAYS[-1], sampler.max_ways or WAYS[-1])
    allowed = [Shape(ways, shots, QUERIES) for ways in WAYS if ways <= most for shots in SHOTS]
    return [shape for shape in allowed if _fits(sampler, shape)]


def _fits(sampler: EpisodeSampler, shape: Shape) -> bool:
    """Whether there are so many classes. Where that is not known, an episode tells."""
    if sampler.fitting(shape) != shape:
        return False
    with suppress(ValueError):
        return sampler.max_ways is not None or sampler.episode(rng_of(0, 0), shape).support.ways == shape.ways
    return False


class Encoder:
    """Encodes inputs in the precision in which they are served, and each text once."""

    def __init__(self, learner: Learner, device: torch.device) -> None:
        self._learner, self._device = learner, device
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, inputs: Any) -> Tensor:
        """Features (n, d)."""
        with encoding(getattr(self._learner, "encoder", None), self._device):
            return encode_many(self._learner, on_device(inputs, self._device))

    def episode(self, episode: Episode) -> Episode:
        """The episode with features in place of inputs."""
        support, query, targets = episode
        names = None if support.names is None else self._all(support.names)
        known = support._replace(inputs=self._all(support.inputs), names=names)
        return to_device(Episode(known, self._all(query), targets), self._device)

    def _all(self, inputs: Any) -> Tensor:
        return self(inputs) if isinstance(inputs, Tensor) else self._texts(inputs)

    def _texts(self, texts: Any) -> Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self(new), strict=True))
        return torch.stack([self._known[text] for text in texts])


def _familiar(episode: Episode) -> Tensor:
    """The familiarity of the queries (q,), as the service computes it."""
    support, query, _ = episode
    normal = partial(F.normalize, dim=-1)
    weights = F.one_hot(support.targets, support.ways).to(query.dtype)
    return familiarity(normal(support.inputs), weights, normal(query)).float()


def _quantiles(scores: Tensor) -> list[float]:
    """The scores that these shares of the queries reach."""
    levels = torch.tensor([1 - coverage for coverage in COVERAGES])
    return [float(f"{each:.5g}") for each in scores.quantile(levels).tolist()]
