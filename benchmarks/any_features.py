"""Train the head that ships for features of any encoder, and measure it: "added-heads" of docs/applications.md.

    python -m benchmarks.any_features --data FOLDER --features FOLDER    # the data sets; for encoded inputs

It trains on the kinds of benchmarks/several_kinds.py, and is compared with the head that `handful add` gives to an
encoder by default, on the same episodes. Photos have the features of the last layer only, as an added encoder has.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.features import FeatureTexts, parser_of
from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.learners_on_features import shipped_photos
from benchmarks.learners_on_features import texts as published_texts
from benchmarks.several_kinds import (
    HANDS,
    STEPS,
    Answer,
    Kinds,
    of_learner,
    scores,
    test_kinds,
    trained,
    training_kinds,
)
from models import checkpoint
from models.checkpoint import Spec
from models.learner import Support
from models.learners.any_features import SHIPPED
from service.commands.add import DEFAULTS, OPTIONS
from service.commands.added import default_of

EACH = 30
"""Texts of an intent that episodes are drawn from."""
MINILM = "texts, MiniLM as published"
TYPES = {"drawings": "photo", "texts": "text", MINILM: "text", "photos": "photo", HANDS: "photo"}
"""What `handful add` takes the encoder of each kind for."""


def pooled(kinds: Kinds) -> dict[str, Tensor]:
    """The same features; those of photos without the stages of the encoder and the layout."""
    width = shipped_photos().encoder.parts[0]
    return {kind: each[..., :width] if kind in ("photos", HANDS) else each for kind, each in kinds.items()}


def minilm(data: Path, folder: Path) -> Tensor:
    """The test intents of CLINC150 in features that no head trained on."""
    sampler = published_texts(data, "test", folder)
    assert isinstance(sampler, FeatureTexts)
    intents = [own for each in sampler.texts.sets.values() for own in each.support.values() if len(own) >= EACH]
    return torch.stack([torch.stack([sampler.features[text] for text in own[:EACH]]) for own in intents])


def added(kind: str) -> Answer:
    """The head that `handful add` gives to an encoder by default, with its temperature."""
    name = DEFAULTS[TYPES[kind]]
    plain = of_learner(checkpoint.build(Spec(name, "identity", OPTIONS.get(name, {}))).eval())
    default = default_of(TYPES[kind], name)

    def answer(support: Support, query: Tensor) -> Tensor:
        shots = len(support.targets) // support.ways
        return plain(support, query) / (default.calibration.of(support.ways, shots).temperature if default else 1.0)

    return answer


def table_of(head: Answer, kinds: Mapping[str, Tensor]) -> Table:
    """The head beside the default, with the differences on the same episodes."""
    rows: list[list[str | Figure]] = []
    for kind, features in kinds.items():
        (own, own_loss), (usual, usual_loss) = (scores(each, features) for each in (head, added(kind)))
        gain, loss = np.subtract(own, usual).tolist(), np.subtract(own_loss, usual_loss).tolist()
        cells = [figure_of(own, 1), figure_of(usual, 1), figure_of(gain, 1), figure_of(own_loss, 3), figure_of(loss, 3)]
        rows.append([kind, f"`{DEFAULTS[TYPES[kind]]}`", *cells])
    names = [
        "`any-features`, accuracy %",
        "default, accuracy %",
        "gain",
        "`any-features`, log-loss",
        "difference",
    ]
    return Table(["features", "default", *names], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the weights and the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="Training steps.")
    given = parser.parse_args(arguments)
    with torch.no_grad():
        training, test = (pooled(load(given.data, given.features)) for load in (training_kinds, test_kinds))
        test[MINILM] = minilm(given.data, given.features)
    head = trained(training, given.steps)
    save_file(head.state_dict(), SHIPPED)
    with torch.no_grad():
        publish({"added-heads": table_of(of_learner(head), {kind: test[kind] for kind in TYPES})})


if __name__ == "__main__":
    main()
