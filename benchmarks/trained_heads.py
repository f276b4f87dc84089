"""Rows of benchmarks/heads.py that need meta-training: relation and graph networks and an in-context transformer.

Each is a learned correction of the logits of cosine prototypes, which starts at zero. So training begins where
prototypes are, and a row of prototypes whose features are trained alone shows what the correction adds. All are trained
on features of the frozen encoder: of the texts, photos or drawings that the models of `SOURCES` are trained on.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from benchmarks.learners_on_features import SOURCES, Answer, Frozen, Head, Options
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.learner import Episode, Learner, State, Support
from models.learners import LEARNERS
from models.learners.cosine import CosineProtoNet
from models.training.evaluation import evaluate

WIDTH, RANK = 64, 128
"""Features of the relation network, and the rank of the learned part of the features."""
SECONDS, CHECKS = 40.0, 4
"""Time of a training on one core, and the validations in it, whose time does not count."""
VALIDATION_EPISODES, VALIDATION_SEED = 20, 1_000_003
LR, FEATURES_LR = 1e-3, 1e-4
"""Learning rates of the correction and of the features. The features of few classes overfit at the higher one."""
SIZES = ((20, 1), (20, 5), (5, 1), (5, 5), (40, 1))
"""Ways and shots of the training episodes, in turn."""


class Refined(Frozen):
    """Encoded features of length 1, plus a learned projection of low rank. It starts as the features themselves."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__(feature_dim)
        self.down = nn.Parameter(torch.randn(feature_dim, RANK) / feature_dim**0.5)
        self.up = nn.Parameter(torch.zeros(RANK, feature_dim))

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, feature_dim) of length 1."""
        given = F.normalize(inputs, dim=-1)
        return F.normalize(given + given @ self.down @ self.up, dim=-1)


class Mapped(Frozen):
    """Encoded features through a learned linear map, as maps of one pixel for the relation network."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__(WIDTH)
        self.map = nn.Linear(feature_dim, WIDTH)

    def maps(self, inputs: Tensor) -> Tensor:
        """Maps (n, WIDTH, 1, 1)."""
        features: Tensor = self.map(inputs * inputs.shape[-1] ** 0.5)
        return features[..., None, None]


class Corrected(CosineProtoNet):
    """Cosine prototypes on refined features, and another learner's logits, times a weight that starts at zero.

    Args:
        feature_dim: Number of encoded features.
        correction: The other learner, on refined features; None: prototypes alone.
    """

    def __init__(self, feature_dim: int, correction: Learner | None) -> None:
        super().__init__(Refined(feature_dim), scale=20.0)
        self.correction, self.weight = correction, nn.Parameter(torch.zeros(()))
        self.max_ways = None if correction is None else correction.max_ways

    def adapt(self, support: Support) -> State:
        """Prototypes, and the state of the correction."""
        state = super().adapt(support)
        if self.correction is None:
            return state
        return state | self.correction.adapt(support._replace(inputs=self.correction.encode(support.inputs)))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        logits = super().predict(state, query)
        if self.correction is None:
            return logits
        return logits + self.weight * self.correction.predict(state, self.correction.encode(query))

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The query loss after adaptation."""
        return Learner.outer_loss(self, episode, progress)


LEARNED: Mapping[str, tuple[str | None, Callable[[int], Frozen], Options, int]] = {
    "prototypes (cosine), meta-trained": (None, Frozen, {}, 4),
    "relation network, meta-trained": ("relation", Mapped, {}, 4),
    "graph network, meta-trained": ("gnn", Frozen, {"outputs": 45}, 1),
    "in-context transformer, meta-trained": ("transformer", Frozen, {"outputs": 45}, 4),
}
"""Rows: the learner of the correction, its encoder, its options, and the queries of each class in training."""


def corrected(title: str, feature_dim: int) -> Corrected:
    """The learner of a row before its training."""
    name, encoder, options, _ = LEARNED[title]
    torch.manual_seed(0)
    return Corrected(feature_dim, None if name is None else LEARNERS[name](encoder(feature_dim), **options))


def trained_heads(kind: str, data: Path, folder: Path) -> list[Head]:
    """The rows of a table."""
    source = SOURCES[kind]

    def built(options: Options, *, title: str) -> Answer:
        best = trained(
            corrected(title, source.width),
            source.episodes(data, source.training, folder),
            source.episodes(data, source.validation, folder),
            LEARNED[title][3],
        )
        return lambda episode: best.answer(episode.support._replace(names=None), episode.query)

    return [
        Head(title, partial(built, title=title), source.episodes, most=most_examples(corrected(title, source.width)))
        for title in LEARNED
    ]


def trained(learner: Corrected, training: EpisodeSampler, validation: EpisodeSampler, queries: int) -> Corrected:
    """Train for `SECONDS` of the processor; the weights with the best accuracy on validation classes are kept."""
    features = {"params": list(learner.encoder.parameters()), "initial_lr": FEATURES_LR}
    others = [each for name, each in learner.named_parameters() if not name.startswith("encoder.")]
    optimiser = torch.optim.AdamW([features, {"params": others, "initial_lr": LR}])
    kept = [_checked(learner, validation)]
    spent, step = 0.0, 0
    while spent < SECONDS:
        started = time.process_time()
        _step(learner, optimiser, _episode(learner, training, step, queries), spent / SECONDS)
        spent, step = spent + time.process_time() - started, step + 1
        if spent >= len(kept) * SECONDS / CHECKS:
            kept.append(_checked(learner, validation))
    scores = [score for score, _ in kept]
    best, weights = max(kept, key=lambda one: one[0])
    Console().print(
        f"{step} steps, on validation classes {scores[0]:.3f}, then {best:.3f}, weight {learner.weight.item():.3f}"
    )
    learner.load_state_dict(weights)
    return learner.eval().requires_grad_(False)


def _step(learner: Learner, optimiser: torch.optim.Optimizer, episode: Episode, share: float) -> None:
    """One step, when a share of the training is done. The learning rate falls to zero."""
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * (1 - share)
    loss = learner.train().outer_loss(episode, share)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()


def _episode(learner: Corrected, training: EpisodeSampler, step: int, queries: int) -> Episode:
    """The training episode of a step."""
    ways, shots = SIZES[step % len(SIZES)]
    shape = Shape(min(ways, training.max_ways or ways), shots, queries)
    return training.episode(rng_of(0, step), _taken(learner, shape))


def most_examples(learner: Corrected) -> int | None:
    """Most examples that a learner takes."""
    return None if learner.correction is None else learner.correction.max_examples


def _taken(learner: Corrected, shape: Shape) -> Shape:
    """The shape with as many classes as the learner takes."""
    most = min(learner.max_ways or shape.ways, (most_examples(learner) or 10**6) // shape.shots)
    return shape._replace(ways=min(shape.ways, most))


def _checked(learner: Corrected, validation: EpisodeSampler) -> tuple[float, State]:
    """The accuracy on validation classes, and a copy of the weights."""
    return _accuracy(learner.eval(), validation), {name: each.clone() for name, each in learner.state_dict().items()}


def _accuracy(learner: Corrected, validation: EpisodeSampler) -> float:
    """The mean accuracy at 10 to 20 ways, 1 and 5 shots."""
    ways, cpu = min(20, validation.max_ways or 20), torch.device("cpu")
    shapes = [_taken(learner, Shape(ways, shots, 2)) for shots in (1, 5)]
    scores = [
        each["accuracy"]
        for shape in shapes
        for each in evaluate(learner, validation, shape, VALIDATION_EPISODES, VALIDATION_SEED, cpu)
    ]
    return float(np.mean(scores))
