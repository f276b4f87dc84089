"""Clients that go on learning: the tables and the picture of docs/streams.md.

    python -m benchmarks.streams --data FOLDER --features FOLDER    # omniglot.npz and clinc150.jsonl; for features

Alphabets of Omniglot, or domains of CLINC150, come in turn. All of them are unknown to the encoders. The choice of the
examples that stay, and their weights, are those of the service.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.features import parser_of, stored
from benchmarks.methods import ROOT, filled, table
from benchmarks.none_of_these import read
from models import checkpoint
from models.datasets.characters import DRAWINGS, Characters, load
from models.datasets.splits import members
from models.datasets.texts import TEST_DOMAINS, VALIDATION_DOMAINS
from models.functional import encode_many
from models.learner import Learner, Support, full_mask
from service.arrays import Array
from service.cards import Catalogue
from service.settings import ZOO
from service.store.ages import weights_by_age
from service.store.examples import Example
from service.use_cases.keeping import places_kept

PAGE, PICTURE = ROOT / "docs/streams.md", ROOT / "docs/streams.png"
SEEDS = 5
GLYPHS = Catalogue(ZOO)["glyphs"]
ALPHABETS, CHARACTERS, INTENTS = 10, 20, 5
MOST_CHARACTERS = 90
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEP_S, HALF_LIFE_S = 3600.0, 1800.0
"""The time between two steps, and the half-life."""


class Groups(NamedTuple):
    """Features of classes in groups, such as the characters of alphabets.

    taught, tested  (groups, members, examples, d)
    """

    learner: Learner
    taught: Tensor
    tested: Tensor


class Taught(NamedTuple):
    """Examples of a client: features (n, d), labels (n,), the step in which each came, and its number."""

    features: Tensor
    labels: Tensor
    steps: Tensor
    numbers: Tensor

    def chosen(self, places: Any) -> "Taught":
        """Some of them."""
        return Taught(*(each[places] for each in self))


class Step(NamedTuple):
    """What comes at a step: features and labels, and the tests: those of this step and those of all steps so far."""

    features: Tensor
    labels: Tensor
    now: tuple[Tensor, Tensor]
    so_far: list[tuple[Tensor, Tensor]]


Memory = Callable[[Taught, int, int], tuple[Taught, Array | None]]
"""What a client keeps of its examples, given the step and a number to keep, and what each counts for."""


def everything(taught: Taught, _: int, __: int) -> tuple[Taught, None]:
    """Append."""
    return taught, None


def newest_step(taught: Taught, step: int, _: int) -> tuple[Taught, None]:
    """Replace."""
    return taught.chosen(taught.steps == step), None


def kept(taught: Taught, _: int, keep: int, *, latest: bool = False) -> tuple[Taught, None]:
    """`keep` of each class, as the service chooses them."""
    places = places_kept(_examples(taught), taught.labels.tolist(), keep, classes=True, latest=latest)
    return taught.chosen(places), None


def herded(taught: Taught, _: int, keep: int) -> tuple[Taught, None]:
    """The examples whose mean is closest to that of their class, one after the other (iCaRL, arXiv:1611.07725)."""
    places = []
    for label in torch.unique(taught.labels):
        own = (taught.labels == label).nonzero().flatten()
        features, chosen = taught.features[own], list[int]()
        for count in range(1, min(keep, len(own)) + 1):
            sums = features + features[chosen].sum(0)
            far = (features.mean(0) - sums / count).square().sum(-1)
            far[chosen] = torch.inf
            chosen.append(int(far.argmin()))
        places += own[chosen].tolist()
    return taught.chosen(sorted(places)), None


def faded(taught: Taught, _: int, __: int) -> tuple[Taught, Array]:
    """All, with a half-life."""
    ways = int(taught.labels.max()) + 1
    return taught, weights_by_age(_examples(taught), taught.labels.tolist(), HALF_LIFE_S, ways=ways)


def faded_and_kept(taught: Taught, step: int, keep: int) -> tuple[Taught, Array]:
    """`half_life_s` with `keep`."""
    return faded(kept(taught, step, keep, latest=True)[0], step, keep)


MEMORIES: Mapping[str, Memory] = {
    "append": everything,
    "replace": newest_step,
    "`keep`": kept,
    "keep by herding": herded,
    "keep the latest": partial(kept, latest=True),
    "`half_life_s`": faded,
    "`half_life_s` and `keep`": faded_and_kept,
}


SAME = {"new classes": {"keep the latest", "`half_life_s`", "`half_life_s` and `keep`"}}
"""Memories that differ in nothing from others in a stream: each class comes in one step."""


def memories_of(stream: str) -> Mapping[str, Memory]:
    """What is compared on a stream."""
    return {name: memory for name, memory in MEMORIES.items() if name not in SAME.get(stream, ())}


def _examples(taught: Taught) -> list[Example]:
    """As the service has them, each with its id and its time."""
    return [
        Example(f"example-{number}", BEGAN + timedelta(seconds=STEP_S * step), "", b"")
        for number, step in zip(taught.numbers.tolist(), taught.steps.tolist(), strict=True)
    ]


def new_classes(groups: Groups) -> list[Step]:
    """Each group brings classes of its own."""
    members = groups.taught.shape[1]
    return _steps(groups.taught, groups.tested, lambda step: torch.arange(members) + step * members)


def new_meanings(groups: Groups) -> list[Step]:
    """Each group gives the same labels to its own classes."""
    return _steps(groups.taught, groups.tested, lambda _: torch.arange(groups.taught.shape[1]))


def drifting_classes(groups: Groups) -> list[Step]:
    """A group is one class, and its members come in turn."""
    return _steps(
        groups.taught.transpose(0, 1), groups.tested.transpose(0, 1), lambda _: torch.arange(len(groups.taught))
    )


STREAMS: Mapping[str, Callable[[Groups], list[Step]]] = {
    "new classes": new_classes,
    "new meanings": new_meanings,
    "drifting classes": drifting_classes,
}


def _steps(taught: Tensor, tested: Tensor, labels: Callable[[int], Tensor]) -> list[Step]:
    steps, asked = list[Step](), list[tuple[Tensor, Tensor]]()
    for step in range(len(taught)):
        own = labels(step)
        given = own.repeat_interleave(taught.shape[2])
        now = tested[step].flatten(0, 1), own.repeat_interleave(tested.shape[2])
        asked = [*asked, now]
        steps.append(Step(taught[step].flatten(0, 1), given, now, asked))
    return steps


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


def drawings(data: Path, folder: Path) -> tuple[Learner, Tensor]:
    """`glyphs`, and the features (alphabets, characters, drawings, d) of alphabets that it was not trained on."""
    learner, found = checkpoint.load(ZOO / "glyphs.safetensors"), load(data / "omniglot.npz", GLYPHS.input.size)
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
    learner, found = checkpoint.load(ZOO / "glyphs.safetensors"), load(data / "omniglot.npz", GLYPHS.input.size)
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
TAUGHT, QUERIES = 10, 10
"""Examples and queries of each class at a step."""
KEEP = {"new classes": (5, 5), "new meanings": (5, 5), "drifting classes": (50, 20)}
"""The examples of each class that stay, of drawings and of texts."""


def groups_of(learner: Learner, features: Tensor, seed: int) -> Groups:
    """The groups, their members and the examples of each in an order of their own."""
    rng = np.random.default_rng(seed)
    features = features[torch.from_numpy(rng.permutation(len(features)))]
    features = features[:, torch.from_numpy(rng.permutation(features.shape[1]))]
    features = features[:, :, torch.from_numpy(rng.permutation(features.shape[2]))]
    return Groups(learner, features[:, :, :TAUGHT], features[:, :, TAUGHT : TAUGHT + QUERIES])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the tables and the picture."""
    given = parser_of(__doc__).parse_args(arguments)
    found = {name: measured(name, given.data, given.features) for name in SOURCES}
    PAGE.write_text(filled(PAGE.read_text(), {stream: report(stream, found) for stream in STREAMS}))
    draw(found)


Found = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""By stream and memory: a result for each seed."""


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


def now(result: Mapping[str, Any]) -> float:
    """The mean accuracy on what was taught last, after the second step and later."""
    return float(np.mean(result["now"][1:]))


def so_far(result: Mapping[str, Any]) -> float:
    """The accuracy on all steps, at the end."""
    return float(np.mean(result["so_far"][-1]))


def forgotten(result: Mapping[str, Any]) -> float:
    """How much accuracy a step has lost at the end since it was taught, as a mean over all steps but the last."""
    return float(
        np.mean([then[-1] - end for then, end in zip(result["so_far"], result["so_far"][-1], strict=True)][:-1])
    )


def report(stream: str, found: Mapping[str, Found]) -> str:
    """A table of one stream."""
    rows = []
    for name, streams in found.items():
        for memory, results in streams[stream].items():
            figures = [_interval([each(result) for result in results]) for each in (now, so_far, forgotten)]
            milliseconds = f"{1000 * np.median([result['seconds'] for result in results]):.0f}"
            rows.append([name, memory, *figures, str(round(np.mean([r["examples"] for r in results]))), milliseconds])
    head = ["data", "memory", "taught last", "all so far, at the end", "forgotten", "examples at the end", "ms"]
    return table(head, rows)


def _interval(values: Sequence[float]) -> str:
    """A mean in %, with the 95 % interval over the seeds (Student's t)."""
    half = 2.776 * np.std(values, ddof=1) / np.sqrt(len(values))  # 4 degrees of freedom
    return f"{100 * np.mean(values):.1f} ± {100 * half:.1f}"


def draw(found: Mapping[str, Found]) -> None:
    """Accuracy over time: on all steps so far for new classes, on the last step for the others."""
    picture = Figure(figsize=(12, 7), layout="constrained")
    for row, (name, streams) in zip(picture.subplots(len(found), len(STREAMS)), found.items(), strict=True):
        for axes, (stream, memories) in zip(row, streams.items(), strict=True):
            for memory, results in memories.items():
                curves = [
                    [np.mean(each) for each in result["so_far"]] if stream == "new classes" else result["now"]
                    for result in results
                ]
                mean = 100 * np.mean(curves, 0)
                style = {"linewidth": 2.0} if memory.startswith("`") else {"linewidth": 1.0, "linestyle": "--"}
                axes.plot(np.arange(len(mean)) + 1, mean, label=memory.replace("`", ""), **style)
            what = "all so far" if stream == "new classes" else "taught last"
            axes.set(title=f"{name}, {stream}", xlabel="step", ylabel=f"accuracy on {what}, %")
    axes.legend(fontsize="small")
    picture.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
