"""Evaluation: a learner's predictions on episodes of classes that it was not trained on, and their scores."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.datasets.episode import EpisodeSampler, Shape, on_device, to_device
from models.datasets.pool import EncodableSampler
from models.encoders.precision import encoding
from models.functional import encode_many
from models.gaussian import covered, log_likelihood, parted
from models.learner import Episode, Kind, Learner

Scores = dict[str, float]
"""The scores of one episode, the headline first: accuracy and macro F1 (0 to 1), or MSE and MAE. If the answers have
standard deviations, also the mean log-likelihood and the share of the targets in their central 90 %."""

HEADLINE = {Kind.CLASSIFICATION: "accuracy", Kind.REGRESSION: "mse"}


class Predictions(NamedTuple):
    """The answers to an episode's queries, logits (q, ways) or values (q, outputs), then standard deviations
    for learners that have them, and their targets."""

    answers: Tensor
    targets: Tensor


def predict_episode(learner: Learner, episode: Episode) -> Predictions:
    """Adapt to one episode's support and answer its queries."""
    return Predictions(learner.answer(episode.support, episode.query), episode.targets)


def predict_episodes(
    learner: Learner, tasks: EpisodeSampler, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Predictions]:
    """The predictions on each of `episodes` episodes. The same seed draws the same episodes."""
    with torch.no_grad():
        if isinstance(tasks, EncodableSampler):
            yield from _predict_encoded(learner, tasks, shape, episodes, seed, device)
            return
        for episode in tasks.episodes(shape, episodes, seed):
            yield predict_episode(learner, to_device(episode, device))


def _predict_encoded(
    learner: Learner, pool: EncodableSampler, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Predictions]:
    """The same for a fixed set of examples, each of which is encoded once, in the precision in which it is served."""

    def encode(inputs: Any) -> Tensor:
        with encoding(getattr(learner, "encoder", None), device):
            return encode_many(learner, on_device(inputs, device))

    for episode in pool.encoded(encode).episodes(shape, episodes, seed):
        support, query, targets = to_device(episode, device)
        yield Predictions(learner.predict(learner.adapt(support), query), targets)


def evaluate(
    learner: Learner, tasks: EpisodeSampler, shape: Shape, episodes: int, seed: int, device: torch.device
) -> Iterator[Scores]:
    """The scores of each of `episodes` episodes. The same seed draws the same episodes."""
    predicted = predict_episodes(learner, tasks, shape, episodes, seed, device)
    return (score(learner.kind, predictions) for predictions in predicted)


def score_episode(learner: Learner, episode: Episode) -> Scores:
    """The scores of a learner on one episode."""
    return score(learner.kind, predict_episode(learner, episode))


def score(kind: Kind, predictions: Predictions) -> Scores:
    """The scores of the predictions on one episode."""
    answers, targets = predictions
    if kind is Kind.REGRESSION:
        return _regression_scores(answers, targets)
    classes = answers.argmax(-1)
    accuracy = (classes == targets).float().mean().item()
    return {"accuracy": accuracy, "macro_f1": macro_f1(classes, targets, answers.shape[-1])}


def _regression_scores(answers: Tensor, targets: Tensor) -> Scores:
    values, deviations = parted(answers, targets.shape[-1])
    error = values - targets
    scores = {"mse": error.square().mean().item(), "mae": error.abs().mean().item()}
    if deviations is None:
        return scores
    likelihood = log_likelihood(answers, targets).mean().item()
    return scores | {"log_likelihood": likelihood, "coverage_90": covered(answers, targets).item()}


def macro_f1(predicted: Tensor, targets: Tensor, ways: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN). A class without queries and without predictions counts as 0."""
    hits = torch.bincount(targets[predicted == targets], minlength=ways)
    total = torch.bincount(predicted, minlength=ways) + torch.bincount(targets, minlength=ways)
    return (2 * hits / total.clamp(min=1)).mean().item()


def summarise(scores: list[Scores]) -> dict[str, dict[str, float]]:
    """The mean of each score, and the half width of its 95 % interval: 1.96 standard errors over episodes, for fixed
    weights."""
    return {name: _interval([episode[name] for episode in scores]) for name in scores[0]}


def summarise_trials(predictions: Sequence[Predictions]) -> dict[str, dict[str, Any]]:
    """The accuracy over all queries of a fixed test, and its 95 % Wilson interval (Wilson 1927)."""
    hits = torch.cat([answers.argmax(-1) == targets for answers, targets in predictions])
    return {"accuracy": {"mean": hits.float().mean().item(), "interval": wilson(int(hits.sum()), len(hits))}}


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a proportion of independent trials. It stays within 0 and 1."""
    share, spread = hits / trials, z * z / trials
    middle = share + spread / 2
    half = z * math.sqrt((share * (1 - share) + spread / 4) / trials)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def _interval(values: list[float]) -> dict[str, float]:
    spread = stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
    half = 1.96 * spread / math.sqrt(len(values))
    return {"mean": fmean(values), "ci95": half}
