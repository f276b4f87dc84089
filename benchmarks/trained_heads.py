"""Rows of benchmarks/heads.py that need meta-training: relation and graph networks and an in-context transformer.

Each is trained on the training classes' features of the frozen encoder: CLINC150's domains that are neither for
validation nor for the test, or the classes of Grocery for meta-training.
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

from benchmarks.learners_on_features import Answer, Frozen, Head, Options, photos, texts
from benchmarks.none_of_these import read
from benchmarks.texts import baseline
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.datasets.pool import Pool
from models.datasets.texts import OUT_OF_SCOPE, TEST_DOMAINS, VALIDATION_DOMAINS
from models.learner import Learner
from models.learners import LEARNERS
from models.training.evaluation import evaluate

WIDTH = 64
"""Features of the relation network, to which a learned linear map brings those of the encoder."""
SECONDS, EVERY = 40.0, 50
"""Time of a training on one core, and the steps between two validations."""
VALIDATION_EPISODES, VALIDATION_SEED = 10, 1_000_003
LR = 1e-3
SIZES = ((20, 1), (20, 5), (5, 1), (5, 5), (40, 1))
"""Ways and shots of the training episodes, in turn."""


class Mapped(Frozen):
    """Encoded features through a learned linear map. As maps of one pixel for the relation network."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__(WIDTH)
        self.map = nn.Linear(feature_dim, WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, WIDTH)."""
        scaled = F.normalize(inputs, dim=-1) * inputs.shape[-1] ** 0.5
        features: Tensor = self.map(scaled)
        return features

    def maps(self, inputs: Tensor) -> Tensor:
        """Maps (n, WIDTH, 1, 1)."""
        return self(inputs)[..., None, None]


LEARNED: Mapping[str, tuple[str, Callable[[int], Frozen], Options, int]] = {
    "relation network, meta-trained": ("relation", Mapped, {}, 4),
    "graph network, meta-trained": ("gnn", Mapped, {"outputs": 45}, 1),
    "in-context transformer, meta-trained": ("transformer", Frozen, {"outputs": 45}, 4),
}
"""Rows: the learner, its encoder, its options, and the queries of each class in training."""


def trained_heads(kind: str, data: Path, folder: Path) -> list[Head]:
    """The rows of a table."""
    width, episodes = (384, texts) if kind == "texts" else (1280, photos)
    opened = partial(text_training, data, folder) if kind == "texts" else partial(photos, data, "grocery-train", folder)
    validation = partial(episodes, data, "val" if kind == "texts" else "grocery-val", folder)

    def built(options: Options, *, name: str, encoder: Callable[[int], Frozen], queries: int) -> Answer:
        torch.manual_seed(0)
        learner = LEARNERS[name](encoder(width), **options)
        best = trained(learner, opened(), validation(), queries)
        return lambda episode: best.answer(episode.support._replace(names=None), episode.query)

    return [
        Head(title, partial(built, name=name, encoder=encoder, queries=queries), episodes, (options,), most=most)
        for title, (name, encoder, options, queries) in LEARNED.items()
        for most in [getattr(LEARNERS[name], "max_examples", None)]
    ]


def trained(learner: Learner, training: EpisodeSampler, validation: EpisodeSampler, queries: int) -> Learner:
    """Train for `SECONDS` of the processor; the weights with the best accuracy on validation classes are kept."""
    optimiser = torch.optim.AdamW([each for each in learner.parameters() if each.requires_grad], LR)
    most, best, weights = training.max_ways or 0, -1.0, learner.state_dict()
    started, step = time.process_time(), 0
    while (share := (time.process_time() - started) / SECONDS) < 1:
        ways, shots = SIZES[step % len(SIZES)]
        episode = training.episode(rng_of(0, step), _taken(learner, Shape(min(ways, most), shots, queries)))
        loss = learner.train().outer_loss(episode, share)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        for group in optimiser.param_groups:
            group["lr"] = LR * (1 - share)
        optimiser.step()
        step += 1
        if step % EVERY == 0 and (score := _score(learner.eval(), validation)) > best:
            best, weights = score, {name: value.clone() for name, value in learner.state_dict().items()}
    Console().print(f"{learner.algorithm}: {step} steps, {best:.3f} on validation classes")
    learner.load_state_dict(weights)
    return learner.eval().requires_grad_(False)


def _taken(learner: Learner, shape: Shape) -> Shape:
    """The shape with as many classes as the learner takes."""
    most = min(learner.max_ways or shape.ways, (learner.max_examples or 10**6) // shape.shots)
    return shape._replace(ways=min(shape.ways, most))


def _score(learner: Learner, validation: EpisodeSampler) -> float:
    """The mean accuracy at 10 to 20 ways, 1 and 5 shots."""
    ways = min(20, validation.max_ways or 20)
    shapes = [_taken(learner, Shape(ways, shots, 2)) for shots in (1, 5)]
    cpu = torch.device("cpu")
    scores = [
        each["accuracy"]
        for shape in shapes
        for each in evaluate(learner, validation, shape, VALIDATION_EPISODES, VALIDATION_SEED, cpu)
    ]
    return float(np.mean(scores))


def clinc150_training(labels: list[str], splits: list[str], domains: list[str], features: Tensor) -> Pool:
    """The training classes of CLINC150."""
    kept = (*VALIDATION_DOMAINS, *TEST_DOMAINS, OUT_OF_SCOPE)
    own = np.array([split == "train" and domain not in kept for split, domain in zip(splits, domains, strict=True)])
    own &= np.array(labels) != OUT_OF_SCOPE
    numbers = np.unique(np.array(labels), return_inverse=True)[1]
    chosen, everywhere = features[torch.from_numpy(own)], np.ones(own.sum(), dtype=bool)
    return Pool(lambda indices: chosen[torch.from_numpy(indices)], numbers[own], everywhere, everywhere)


def text_training(data: Path, folder: Path) -> Pool:
    """The training classes of CLINC150 in the features of MiniLM."""
    found = read(data, folder, "minilm", baseline())
    return clinc150_training(found.labels, found.splits, found.domains, found.features)
