"""The rows of benchmarks/heads.py: learners on the features of a frozen encoder, with what each may choose from."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch import Tensor, nn

from benchmarks import features
from benchmarks.texts import baseline
from models import checkpoint
from models.datasets.episode import EpisodeSampler
from models.datasets.pool import Pool
from models.encoders import Encoder
from models.functional import encode_many
from models.learner import Episode, Learner
from models.learners import LEARNERS
from models.learners.gated_ridge import GatedRidge
from service.settings import ZOO

Options = dict[str, Any]
Answer = Callable[[Episode], Tensor]
"""The logits (q, ways) of an episode of features."""


@dataclass(frozen=True)
class Head:
    """A row. `build` makes it of one of the `options`; `episodes(data, split, folder)` opens a split."""

    title: str
    build: Callable[[Options], Answer]
    episodes: Callable[[Path, str, Path], EpisodeSampler]
    options: tuple[Options, ...] = ({},)
    calibrated: bool = False
    most: int | None = None
    """Most examples that it takes."""


class Frozen(Encoder):
    """Features that are encoded already. The parameter is for learners that ask for the weights of their encoder."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.feature_dim, self.unused = feature_dim, nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of length 1."""
        return F.normalize(inputs, dim=-1)


GRID: Mapping[str, tuple[str, tuple[Options, ...]]] = {
    "logistic regression": ("logistic", ({"penalty": 0.05}, {"penalty": 0.2}, {"penalty": 1.0})),
    "ridge regression": ("ridge", ({"ridge": 0.3}, {"ridge": 1.0}, {"ridge": 3.0})),
    "prototypes (squared distance)": ("protonet", ({},)),
    "prototypes (cosine)": ("cosine", ({},)),
    "matching networks": ("matching", ({"scale": 10.0}, {"scale": 20.0}, {"scale": 40.0})),
    "averaged kernel ridge regression": ("kernels", ({},)),
    "fine-tuned linear head (ANIL's inner loop)": ("anil", ({"inner_lr": 3.0}, {"inner_lr": 10.0}, {"inner_lr": 30.0})),
    "fine-tuned prototypes (Proto-MAML's inner loop)": (
        "proto-maml",
        ({"inner_lr": 0.1}, {"inner_lr": 1.0}, {"inner_lr": 10.0}),
    ),
    "TIM, transductive": ("tim", ({"inner_lr": 0.1}, {"inner_lr": 0.3}, {"inner_lr": 1.0})),
    "alpha-TIM, transductive": (
        "tim",
        tuple({"alpha": alpha, "inner_lr": lr} for alpha in (2.0, 5.0) for lr in (0.1, 0.3)),
    ),
}
"""Rows, the learner of each in the registry, and the options that validation classes choose from."""
STRENGTHS: tuple[Options, ...] = ({"C": 1.0}, {"C": 20.0})
"""Of scikit-learn's logistic regression; 1 is its default."""
STEPS = 50
"""Inner steps of the learners that take steps."""


def heads(kind: str, data: Path, folder: Path) -> list[Head]:
    """The rows of a table: the baselines, the learners, and the model that ships."""
    width, episodes = SOURCES[kind].width, SOURCES[kind].episodes
    rows = [
        Head("baseline: scikit-learn, LogisticRegression", logistic, episodes, STRENGTHS, True),
        Head("baseline: scikit-learn, RidgeClassifier", ridge, episodes),
        *(Head(title, partial(learner, name, width), episodes, options) for title, (name, options) in GRID.items()),
    ]
    shipped = {"texts": lambda: named(episodes), "photos": lambda: whitened(data, folder)}
    return rows + (shipped[kind]() if kind in shipped else [])


def logistic(options: Options) -> Answer:
    """scikit-learn's logistic regression, with the probabilities as they come."""

    def answer(episode: Episode) -> Tensor:
        model = LogisticRegression(max_iter=1000, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)  # many classes for few examples: this is the task
            model.fit(F.normalize(episode.support.inputs, dim=-1).numpy(), episode.support.targets.numpy())
        logits = torch.from_numpy(model.decision_function(F.normalize(episode.query, dim=-1).numpy()))
        return logits if logits.ndim == 2 else torch.stack([-logits, logits], 1) / 2

    return answer


def ridge(options: Options) -> Answer:
    """scikit-learn's ridge regression of one-hot labels."""

    def answer(episode: Episode) -> Tensor:
        model = RidgeClassifier(**options)
        model.fit(F.normalize(episode.support.inputs, dim=-1).numpy(), episode.support.targets.numpy())
        return torch.from_numpy(model.decision_function(F.normalize(episode.query, dim=-1).numpy()))

    return answer


def learner(name: str, width: int, options: Options) -> Answer:
    """A learner of the registry on features, without meta-training."""
    steps = {"eval_inner_steps": STEPS} if name in ("anil", "proto-maml") else {}
    built = LEARNERS[name](Frozen(width), **options, **steps).eval().requires_grad_(False)
    return lambda episode: built.answer(episode.support._replace(names=None), episode.query)


def named(episodes: Callable[..., EpisodeSampler]) -> list[Head]:
    """Logistic regression with the names of the classes, and the model `texts` with and without them."""
    shipped = published_texts()

    def frozen(options: Options) -> Answer:
        built = LEARNERS["named-logistic"](Frozen(384), **options).eval().requires_grad_(False)
        return lambda episode: built.answer(episode.support, episode.query)

    def own(options: Options, *, with_names: bool) -> Answer:
        def answer(episode: Episode) -> Tensor:
            support = episode.support if with_names else episode.support._replace(names=None)
            return shipped.predict(shipped.adapt(support), episode.query)

        return answer

    return [
        Head("logistic regression with class names", frozen, episodes),
        Head("the model `texts`, without class names", partial(own, with_names=False), own_texts),
        Head("the model `texts`", partial(own, with_names=True), own_texts),
    ]


def whitened(data: Path, folder: Path) -> list[Head]:
    """Ridge regression on features that are whitened within the classes of meta-training, and the model `photos`."""

    def built(options: Options) -> Answer:
        head = GatedRidge(whole(), classes=45, **options).eval().requires_grad_(False)
        head.prepare(all_photos(data, "grocery-train", folder))
        return answer_of(head)

    shrinkages = tuple({"shrinkage": each, "layout_weight": 0.0} for each in (0.2, 0.5, 0.9))
    return [
        Head("ridge regression, whitened within classes", built, all_photos, shrinkages),
        Head("the model `photos`", lambda options: answer_of(shipped_photos()), all_photos),
    ]


def answer_of(head: GatedRidge) -> Answer:
    """Answers from the encoder's features."""

    def answer(episode: Episode) -> Tensor:
        support = episode.support._replace(inputs=head.views_of(episode.support.inputs))
        return head.predict(head.adapt(support), head.views_of(episode.query))

    return answer


class Whole(Frozen):
    """The features of the encoder of `photos`, in its parts and with its layout, unchanged."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.feature_dim)
        self.layout_dim = encoder.layout_dim

    @property
    def parts(self) -> tuple[int, ...]:
        """Numbers of features of the head, and of the stages."""
        parts: tuple[int, ...] = shipped_photos().encoder.parts
        return parts

    def forward(self, inputs: Tensor) -> Tensor:
        """Features."""
        return inputs


def whole() -> Whole:
    """The features of `photos` as an encoder."""
    return Whole(shipped_photos().encoder)


@cache
def shipped_photos() -> GatedRidge:
    """The model `photos`."""
    found = checkpoint.load(ZOO / "photos.safetensors")
    assert isinstance(found, GatedRidge)
    return found


@cache
def published_texts() -> Learner:
    """The model `texts`."""
    return checkpoint.load(ZOO / "texts.safetensors")


@cache
def texts(data: Path, split: str, folder: Path) -> EpisodeSampler:
    """Texts in the features of MiniLM as published."""
    return features.texts(data, split, partial(encode_many, baseline()), folder, "minilm")


@cache
def own_texts(data: Path, split: str, folder: Path) -> EpisodeSampler:
    """Texts in the features of the model `texts`, whose last layers are meta-trained."""
    return features.texts(data, split, partial(encode_many, published_texts()), folder, "texts")


@cache
def all_photos(data: Path, split: str, folder: Path) -> Pool:
    """Photos in all features of EfficientNet-Lite0: those of its head, those of its stages, and the layout."""
    return features.photos(data, split, shipped_photos().encoder, folder, "efficientnet-lite0-layout")


@cache
def photos(data: Path, split: str, folder: Path) -> Pool:
    """Photos in the features of the head of EfficientNet-Lite0."""
    pool = all_photos(data, split, folder)
    return pool.encoded(lambda found: found[:, : shipped_photos().encoder.parts[0]])


@cache
def drawings(data: Path, split: str, folder: Path) -> EpisodeSampler:
    """Drawings in the features of `glyphs-protonet`."""
    encoder = checkpoint.load(ZOO / "glyphs-protonet.safetensors")
    return features.drawings(data, split, partial(encode_many, encoder), folder, "glyphs-protonet")


@dataclass(frozen=True)
class Source:
    """Where the features of a table come from: how many there are, and the splits to train, choose and report on."""

    episodes: Callable[[Path, str, Path], EpisodeSampler]
    width: int
    training: str
    validation: str
    test: str


SOURCES = {
    "texts": Source(texts, 384, "train", "val", "test"),
    "photos": Source(photos, 1280, "grocery-train", "grocery-val", "grocery-test"),
    "drawings": Source(drawings, 64, "vinyals-train", "vinyals-val", "vinyals-test"),
}
