"""Episodes of features: each input is encoded once and kept in a file, so that many learners can be compared on it."""

import argparse
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from models.class_names import plain_words
from models.datasets import DATASETS
from models.datasets.characters import DRAWINGS
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.omniglot import UndistortedSampler
from models.datasets.pool import Pool
from models.datasets.texts import TextSampler
from models.learner import Episode
from models.recipes.photos import PHOTO

DRAWING = {"type": "drawing", "size": 28}
Encode = Callable[[Any], Tensor]
CHUNK = 256


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A parser of the options of a benchmark on encoded data sets, which runs in one thread."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="The folder of the data sets.")
    parser.add_argument("--features", type=Path, required=True, help="A folder for encoded inputs.")
    return parser


class FeatureTexts(EpisodeSampler):
    """Episodes over texts, with features in place of texts and of class names."""

    def __init__(self, texts: TextSampler, features: Mapping[str, Tensor]) -> None:
        self.texts, self.features = texts, features
        self.max_ways = sum(len(each.support) for each in texts.sets.values())

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode."""
        support, query, targets = self.texts.episode(rng, shape)
        encoded = support._replace(inputs=self._encoded(support.inputs), names=self._encoded(support.names))
        return Episode(encoded, self._encoded(query), targets)

    def _encoded(self, texts: Any) -> Tensor:
        return torch.stack([self.features[text] for text in texts])


def texts(data: Path, split: str, encode: Encode, folder: Path, encoder: str) -> FeatureTexts:
    """Episodes of a split of texts, with features that are kept in `folder` under the name of the encoder."""
    sampler = DATASETS["texts"].episodes(data, split, {"type": "text"})
    assert isinstance(sampler, TextSampler)
    known = sorted(words(sampler))
    digest = hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
    file = folder / f"{encoder}-{split}-{digest}.npy"
    features = stored(file, len(known), lambda indices: encode([known[i] for i in indices]))
    return FeatureTexts(sampler, dict(zip(known, features, strict=True)))


def words(sampler: TextSampler) -> set[str]:
    """All texts and all class names of a sampler's episodes."""
    parts = [part for each in sampler.sets.values() for part in (each.support, each.query)]
    return {text for part in parts for label, own in part.items() for text in (plain_words(label), *own)}


def photos(data: Path, split: str, encode: Encode, folder: Path, encoder: str) -> Pool:
    """Episodes of a split of photos, with features that are kept in `folder` under the name of the encoder."""
    pool = DATASETS["photos"].episodes(data, split, PHOTO)
    assert isinstance(pool, Pool)
    examples, file = pool.examples, folder / f"{encoder}-{split}.npy"
    features = stored(file, len(pool.labels), lambda indices: encode(examples(indices)))
    pool.examples = lambda indices: features[torch.from_numpy(indices)]
    return pool


def drawings(data: Path, split: str, encode: Encode, folder: Path, encoder: str) -> UndistortedSampler:
    """Episodes of a split of drawings, with features that are kept in `folder` under the name of the encoder."""
    sampler = DATASETS["omniglot"].episodes(data / "omniglot.npz", split, DRAWING)
    assert isinstance(sampler, UndistortedSampler)
    examples, file = sampler.examples, folder / f"{encoder}-{split}.npy"
    features = stored(file, len(sampler.classes) * DRAWINGS, lambda indices: encode(examples(indices)))
    sampler.examples = lambda indices: features[torch.from_numpy(indices)]
    return sampler


def stored(file: Path, count: int, encode: Callable[[NDArray[np.intp]], Tensor]) -> Tensor:
    """Features (count, d) from a file, which is made if it is missing. `encode` takes indices."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        chunks = np.array_split(np.arange(count), -(-count // CHUNK))
        with torch.no_grad():
            shown = track(chunks, f"Encoding for {file.name}", console=Console(stderr=True))
            np.save(file, torch.cat([encode(chunk) for chunk in shown]).numpy())
    return torch.from_numpy(np.load(file))
