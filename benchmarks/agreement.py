"""Compare the fast paths, the native kernel and 16-bit states, with float32 in torch.

python -m benchmarks.agreement --data omniglot.npz; writes into docs/performance.json. All models of drawings that
use one of the paths answer the same 10,000 queries of test classes. The results are the number of changed top answers
and the largest change of a probability. A path that changes an answer, or a probability by 1e-3, is not acceptable.
"""

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.results import keep
from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.learner import Episode, Learner, State
from service.cards import Card, Catalogue
from service.engine.delta_encoding import DeltaEncoding
from service.inputs.drawing import Drawing
from service.settings import ZOO

SPLIT, SHAPE, EPISODES = "vinyals-test", Shape(5, 1, 16), 125


class Difference(NamedTuple):
    """The difference between two ways to answer the same queries."""

    queries: int
    flips: int
    largest: float


def main() -> None:
    """Compare every model that uses a fast path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="omniglot.npz")
    data = parser.parse_args().data
    torch.set_num_threads(1)
    cards = [card for card in Catalogue(ZOO).values() if isinstance(card.input, Drawing)]
    samplers = {card.name: dataset_of("omniglot").episodes(data, SPLIT, card.input.model_dump()) for card in cards}
    compared = [card for card in cards if touched(card, samplers[card.name])]
    keep(agreement={card.name: difference(card, samplers[card.name])._asdict() for card in compared})


def touched(card: Card, sampler: EpisodeSampler) -> bool:
    """Whether the kernel supports the model's encoder, or a client's state contains weights of its own."""
    learner = load(card)
    encoder, episode = learner.get_submodule("encoder"), next(episodes(sampler))
    has_kernel: bool = getattr(encoder, "has_kernel", False)
    state = learner.adapt(learner.encode_support(episode.support))
    return has_kernel or any(name.startswith("encoder.") for name in state)


def difference(card: Card, sampler: EpisodeSampler) -> Difference:
    """The difference over all queries."""
    learner, queries, flips, largest = load(card), 0, 0, 0.0
    for episode in track(list(episodes(sampler)), card.name):
        plain = answers(learner, episode, card.temperature, fast=False)
        served = answers(learner, episode, card.temperature, fast=True)
        queries += len(plain)
        flips += int((plain.argmax(-1) != served.argmax(-1)).sum())
        largest = max(largest, (plain - served).abs().max().item())
    return Difference(queries, flips, largest)


def episodes(sampler: EpisodeSampler) -> Iterator[Episode]:
    """The same episodes for every model."""
    return (sampler.episode(rng_of(0, index), SHAPE) for index in range(EPISODES))


def answers(learner: Learner, episode: Episode, temperature: float, *, fast: bool) -> Tensor:
    """Probabilities (q, ways)."""
    path: AbstractContextManager[object] = nullcontext() if fast else patch("models.native.library", lambda: None)
    with torch.no_grad(), path:
        state = learner.adapt(learner.encode_support(episode.support))
        kept = through_store(learner, state) if fast else state
        logits = learner.predict(kept, learner.encode(episode.query))
    return (logits.double() / temperature).softmax(-1)


def through_store(learner: Learner, state: State) -> State:
    """The state after encoding and decoding for the store."""
    if learner.exact_states:
        return state
    form = DeltaEncoding(dict(learner.named_parameters()))
    kept = form.encode({name: value.unsqueeze(0) for name, value in state.items()})
    return {name: value[0] for name, value in form.decode(kept).items()}


def load(card: Card) -> Learner:
    """The model as it is served."""
    return checkpoint.load(ZOO / f"{card.name}.safetensors")


if __name__ == "__main__":
    main()
