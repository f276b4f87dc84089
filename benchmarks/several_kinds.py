"""One head for drawings, texts and photos at once, beside the head of each kind: the table of docs/applications.md.

    python -m benchmarks.several_kinds --data FOLDER --features FOLDER    # the data sets; for encoded inputs

All heads see the features of the frozen encoders of `glyphs`, `texts` and `photos`. The learned ones train on classes
that the encoders or their validation saw; the tests are of new classes, and of hands, a kind that no head trained on.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.features import parser_of
from benchmarks.features import photos as encoded_photos
from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.learners_on_features import shipped_photos
from benchmarks.unlabelled import drawings, photos, texts
from models import checkpoint
from models.checkpoint import Spec
from models.datasets.texts import TEST_DOMAINS, VALIDATION_DOMAINS
from models.learner import Episode, Learner, Support, full_mask
from models.training.calibration import fit_temperature
from models.training.evaluation import Predictions
from service.cards import Catalogue
from service.settings import ZOO

Kinds = Mapping[str, Tensor]
"""Features (classes, examples, d) by kind."""
Answer = Callable[[Support, Tensor], Tensor]
"""Logits of queries after learning from a support set."""
SHAPES = ((5, 1), (5, 5), (20, 1), (20, 5))
QUERIES, EPISODES, STEPS, LR, EACH = 10, 60, 600, 0.01, 20
MODELS = {"drawings": "glyphs", "texts": "texts", "photos": "photos"}
HANDS = "hands"
CARDS = Catalogue(ZOO)


def training_kinds(data: Path, folder: Path) -> Kinds:
    """What heads learn from."""
    head = shipped_photos()
    pool = encoded_photos(data, "grocery-train", head.encoder, folder, "efficientnet-lite0")
    rows = [np.flatnonzero(pool.labels == label) for label in pool.classes]
    chosen = np.stack([each[:EACH] for each in rows if len(each) >= EACH])
    return {
        "drawings": drawings(data, folder, split="alphabets-val").features,
        "texts": texts(data, folder, domains=VALIDATION_DOMAINS).features,
        "photos": torch.as_tensor(pool.examples(chosen.ravel())).reshape(*chosen.shape, -1),
    }


def test_kinds(data: Path, folder: Path) -> Kinds:
    """New classes of each kind, and another kind."""
    return {
        "drawings": drawings(data, folder, split="alphabets-test").features,
        "texts": texts(data, folder, domains=TEST_DOMAINS).features,
        "photos": raw_photos(data, folder, split="grocery-test", each=30),
        HANDS: raw_photos(data, folder, split="sign-digits", each=40),
    }


def raw_photos(data: Path, folder: Path, *, split: str, each: int) -> Tensor:
    """The features of the encoder, without the views of the head."""
    photos(data, folder, split=split, each=each)
    features = torch.from_numpy(np.load(folder / f"efficientnet-lite0-{split}-{each}.npy"))
    return features.reshape(-1, each, features.shape[-1])


def episode(features: Tensor, ways: int, shots: int, rng: np.random.Generator) -> Episode:
    """Classes and examples at random."""
    classes = rng.permutation(len(features))[:ways]
    order = rng.permutation(features.shape[1])[: shots + QUERIES]
    drawn = features[classes][:, order]
    targets = torch.arange(ways)
    support = drawn[:, :shots].flatten(0, 1)
    known = Support(support, targets.repeat_interleave(shots), full_mask(support), ways)
    return Episode(known, drawn[:, shots:].flatten(0, 1), targets.repeat_interleave(drawn.shape[1] - shots))


def trained(kinds: Kinds, steps: int) -> Learner:
    """A head that is trained on these kinds in turn."""
    torch.manual_seed(0)
    learner = checkpoint.build(Spec("any-features", "identity"))
    optimiser = torch.optim.Adam(learner.parameters(), LR)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng(0)
    for step in range(steps):
        features = list(kinds.values())[step % len(kinds)]
        ways = int(rng.integers(2, min(len(features), 30) + 1))
        loss = learner.outer_loss(episode(features, ways, int(rng.integers(1, 9)), rng), step / steps)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        rates.step()
    return learner.eval().requires_grad_(False)


def of_learner(learner: Learner) -> Answer:
    """The answers of a head to features."""

    def answer(support: Support, query: Tensor) -> Tensor:
        return learner.predict(learner.adapt(learner.encode_support(support)), learner.encode(query))

    return answer


def shipped(kind: str) -> Answer:
    """The head that ships for a kind, with the temperature of its card."""
    name = MODELS.get(kind, "photos")
    learner: Any = shipped_photos() if name == "photos" else checkpoint.load(ZOO / f"{name}.safetensors")
    view = learner.views_of if name == "photos" else partial(F.normalize, dim=-1)

    def answer(support: Support, query: Tensor) -> Tensor:
        card = CARDS[name].for_task(support.ways, len(support.targets))
        state = learner.adapt(support._replace(inputs=view(support.inputs)))
        logits: Tensor = learner.predict(state, view(query))
        return logits / card.temperature

    return answer


def prototypes(kinds: Kinds) -> Answer:
    """Cosine prototypes with one temperature for all kinds, which is fitted to what heads learn from."""
    learner = checkpoint.build(Spec("cosine", "identity")).eval()
    plain, rng = of_learner(learner), np.random.default_rng(1)
    drawn = [episode(each, min(w, len(each)), k, rng) for each in kinds.values() for w, k in SHAPES for _ in range(10)]
    temperature = fit_temperature([Predictions(plain(each.support, each.query), each.targets) for each in drawn])
    return lambda support, query: plain(support, query) / temperature


def cells(answer: Answer, features: Tensor) -> list[str | Figure]:
    """The accuracy in % and the log-loss, over episodes of all shapes that the classes allow."""
    accuracies, losses = scores(answer, features)
    return [figure_of(accuracies, 1), figure_of(losses, 3)]


def scores(answer: Answer, features: Tensor) -> tuple[list[float], list[float]]:
    """The accuracy in % and the log-loss of each client, over all shapes that the classes allow."""
    found = []
    for index in range(EPISODES):
        rng = np.random.default_rng([2, index])
        drawn = [episode(features, ways, shots, rng) for ways, shots in SHAPES if ways <= len(features)]
        answers = [answer(each.support, each.query) for each in drawn]
        right = [float((a.argmax(-1) == e.targets).float().mean()) for a, e in zip(answers, drawn, strict=True)]
        costs = [float(F.cross_entropy(a, e.targets)) for a, e in zip(answers, drawn, strict=True)]
        found.append((100 * fmean(right), fmean(costs)))
    accuracies, losses = zip(*found, strict=True)
    return list(accuracies), list(losses)


def table_of(training: Kinds, test: Kinds, steps: int) -> Table:
    """The accuracy and the log-loss of each head on each kind."""
    with torch.enable_grad():
        everything = of_learner(trained(training, steps))
        alone = {kind: of_learner(trained({kind: each}, steps)) for kind, each in training.items()}
        others = {
            kind: of_learner(trained({name: each for name, each in training.items() if name != kind}, steps))
            for kind in (*training, HANDS)
        }
    start = prototypes(training)
    heads: dict[str, Callable[[str], Answer]] = {
        "the head that ships for the kind": shipped,
        "one head, trained on all three kinds": lambda _: everything,
        "the same head, trained on this kind alone": lambda kind: alone.get(kind, alone["photos"]),
        "the same head, trained on the other kinds": lambda kind: others[kind],
        "cosine prototypes, one temperature": lambda _: start,
    }
    rows = [
        [name, *(cell for kind, features in test.items() for cell in cells(head(kind), features))]
        for name, head in heads.items()
    ]
    return Table(["head", *(f"{kind}, {what}" for kind in test for what in ("accuracy %", "log-loss"))], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="Training steps of each head.")
    given = parser.parse_args(arguments)
    with torch.no_grad():
        training, test = (kinds(given.data, given.features) for kinds in (training_kinds, test_kinds))
        publish({"kinds": table_of(training, test, given.steps)})


if __name__ == "__main__":
    main()
