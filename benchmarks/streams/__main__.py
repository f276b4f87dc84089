"""Clients that go on learning: the tables and the picture of docs/streams.md.

    python -m benchmarks.streams --data FOLDER --features FOLDER    # omniglot.npz and clinc150.jsonl; for features

Alphabets of Omniglot, or domains of CLINC150, come in turn. All of them are unknown to the encoders. The choice of the
examples that stay, and their weights, are those of the service.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.features import parser_of
from benchmarks.methods import filled
from benchmarks.streams.memories import Memory, Taught, memories_of
from benchmarks.streams.page import PAGE, Found, draw, report
from benchmarks.streams.sources import MODELS, SOURCES
from benchmarks.streams.steps import STREAMS, Step, groups_of
from models.learner import Learner, Support, full_mask
from service.cards import Catalogue
from service.settings import ZOO

SEEDS = 5
KEEP = {"new classes": (5, 5), "new meanings": (5, 5), "drifting classes": (50, 20)}
"""The examples of each class that stay, of drawings and of texts."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the tables and the picture."""
    given = parser_of(__doc__).parse_args(arguments)
    found = {name: measured(name, given.data, given.features) for name in SOURCES}
    PAGE.write_text(filled(PAGE.read_text(), {stream: report(stream, found) for stream in STREAMS}))
    draw(found)


def measured(name: str, data: Path, folder: Path) -> Found:
    """All results of a source. What is known already of these weights is read."""
    digest = str(Catalogue(ZOO)[MODELS[name]].checkpoint)[:8]
    file = folder / f"streams-{name}-{digest}.jsonl"
    known = {
        tuple(key): found for key, found in map(json.loads, file.read_text().splitlines() if file.exists() else [])
    }
    learner, features = SOURCES[name](data, folder)
    for seed in track(range(SEEDS), name, console=Console(stderr=True)):
        groups = groups_of(learner, features, seed)
        for stream, steps_of in STREAMS.items():
            steps = steps_of(groups)
            for memory, keeps in memories_of(stream).items():
                if (stream, memory, seed) not in known:
                    result = known[stream, memory, seed] = run(
                        learner, steps, keeps, KEEP[stream][list(SOURCES).index(name)]
                    )
                    with file.open("a") as lines:
                        lines.write(json.dumps([[stream, memory, seed], result]) + "\n")
    return {
        stream: {memory: [known[stream, memory, seed] for seed in range(SEEDS)] for memory in memories_of(stream)}
        for stream in STREAMS
    }


@torch.no_grad()
def run(learner: Learner, steps: Sequence[Step], memory: Memory, keep: int) -> dict[str, Any]:
    """The accuracy on the tests of this step and of each step so far, after each step; the examples and the seconds of
    the last adapt."""
    first = steps[0]
    client = Taught(first.features[:0], first.labels[:0], first.labels[:0], first.labels[:0])
    now, so_far, seconds, number = list[float](), list[list[float]](), 0.0, 0
    for place, step in enumerate(steps):
        count = len(step.labels)
        fresh = Taught(step.features, step.labels, torch.full((count,), place), torch.arange(number, number + count))
        number += count
        client, weights = memory(Taught(*(torch.cat(both) for both in zip(client, fresh, strict=True))), place, keep)
        classes, targets = torch.unique(client.labels, return_inverse=True)
        counts = None if weights is None else torch.from_numpy(weights)
        began = time.process_time()
        taught = Support(client.features, targets, full_mask(targets), len(classes), weights=counts)
        state = learner.adapt(taught)
        seconds = time.process_time() - began
        scores = [_accuracy(learner, state, classes, *each) for each in step.so_far]
        now.append(scores[-1])
        so_far.append(scores)
    return {"now": now, "so_far": so_far, "examples": len(client.labels), "seconds": seconds}


def _accuracy(learner: Learner, state: Any, classes: Tensor, features: Tensor, labels: Tensor) -> float:
    return float((classes[learner.predict(state, features).argmax(-1)] == labels).float().mean())


if __name__ == "__main__":
    main()
