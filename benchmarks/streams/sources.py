"""Features of classes that the models have not seen: characters of alphabets, and intents of domains."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.features import stored
from benchmarks.none_of_these import read
from models import checkpoint
from models.datasets.characters import DRAWINGS, Characters, load
from models.datasets.splits import members
from models.datasets.texts import TEST_DOMAINS, VALIDATION_DOMAINS
from models.functional import encode_many
from models.learner import Learner
from service.arrays import Array
from service.cards import Catalogue
from service.settings import ZOO

GLYPHS = Catalogue(ZOO)["glyphs"]
SIZE: int = GLYPHS.input.model_dump()["size"]
ALPHABETS, CHARACTERS, INTENTS = 10, 20, 5
MOST_CHARACTERS = 90


def drawings(data: Path, folder: Path) -> tuple[Learner, Tensor]:
    """`glyphs`, and the features (alphabets, characters, drawings, d) of alphabets that it was not trained on."""
    learner, found = checkpoint.load(ZOO / "glyphs.safetensors"), load(data / "omniglot.npz", SIZE)
    new = [i for i, background in enumerate(found.background) if not background]
    alphabets = sorted({found.names[i].split("/")[0] for i in new})[:ALPHABETS]
    chosen = [[i for i in new if found.names[i].split("/")[0] == each][:CHARACTERS] for each in alphabets]
    features = encoded_drawings(learner, found, np.array(chosen).ravel(), folder, "stream")
    return learner, features.reshape(ALPHABETS, CHARACTERS, DRAWINGS, -1)


def encoded_drawings(learner: Learner, found: Characters, chosen: Array, folder: Path, name: str) -> Tensor:
    """The features (characters, drawings, d) of characters, which are kept in a file of the weights and the name."""
    images = torch.from_numpy(found.images[chosen]).flatten(0, 1).unsqueeze(1)
    encode, file = (
        partial(encode_many, learner),
        folder / f"glyphs-{name}-{len(chosen)}-{str(GLYPHS.checkpoint)[:8]}.npy",
    )
    features = stored(file, len(images), lambda some: encode(images[torch.from_numpy(some)]))
    return features.reshape(len(chosen), DRAWINGS, -1)


def split_drawings(data: Path, folder: Path, split: str) -> tuple[Learner, Tensor]:
    """`glyphs`, and the features (characters, drawings, d) of at most `MOST_CHARACTERS` of a split, evenly spaced."""
    learner, found = checkpoint.load(ZOO / "glyphs.safetensors"), load(data / "omniglot.npz", SIZE)
    own = members(found, data, split)
    chosen = own[:: -(-len(own) // MOST_CHARACTERS)]
    return learner, encoded_drawings(learner, found, chosen, folder, split)


def texts(data: Path, folder: Path) -> tuple[Learner, Tensor]:
    """`texts`, and the features (domains, intents, texts, d) of domains that it was not trained on."""
    learner = checkpoint.load(ZOO / "texts.safetensors")
    return learner, intents(learner, data, folder, (*VALIDATION_DOMAINS, *TEST_DOMAINS), INTENTS)


def intents(learner: Learner, data: Path, folder: Path, domains: Sequence[str], count: int) -> Tensor:
    """The features (domains, intents, texts, d) of the first intents of some domains, without the validation split."""
    found = read(data, folder, "texts", learner)
    own, labels, splits = np.array(found.domains), np.array(found.labels), np.array(found.splits)
    groups = [np.unique(labels[own == each])[:count] for each in sorted(domains)]
    size = min(int(((labels == each) & (splits != "val")).sum()) for group in groups for each in group)
    places = [[np.flatnonzero((labels == each) & (splits != "val"))[-size:] for each in group] for group in groups]
    return found.features[np.array(places)]


SOURCES: Mapping[str, Callable[[Path, Path], tuple[Learner, Tensor]]] = {"Omniglot": drawings, "CLINC150": texts}
MODELS = {"Omniglot": "glyphs", "CLINC150": "texts"}
