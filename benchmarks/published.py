"""Accuracies that papers and their re-implementations report on Omniglot, in %."""

from typing import NamedTuple


class Published(NamedTuple):
    """Published accuracies of a method, and their source."""

    figures: tuple[float | None, float | None, float | None, float | None]
    """At 5-way 1-shot, 5-way 5-shot, 20-way 1-shot and 20-way 5-shot, in %."""
    source: str
    transductive: bool = False


NONE = Published((None, None, None, None), "none on Omniglot")

PUBLISHED = {
    "glyphs-best": Published((99.07, 99.78, 97.64, 99.36), "SNAIL, Mishra et al. 2018: the best inductive"),
    "glyphs-protonet": Published((98.8, 99.7, 96.0, 98.9), "Snell et al. 2017"),
    "glyphs-matching": Published((98.1, 98.9, 93.8, 98.5), "Vinyals et al. 2016"),
    "glyphs-matching-fce": Published((98.1, 98.9, 93.8, 98.5), "Vinyals et al. 2016"),
    "glyphs-relation": Published((99.6, 99.8, 97.6, 99.1), "Sung et al. 2018, chosen on test classes", True),
    "glyphs-gnn": Published((99.2, 99.7, 97.4, 99.0), "Garcia, Bruna 2018"),
    "glyphs-transformer": Published((99.07, 99.78, 97.64, 99.36), "SNAIL, Mishra et al. 2018"),
    "glyphs-maml": Published((98.7, 99.9, 95.8, 98.9), "Finn et al. 2017", True),
    "glyphs-fomaml": Published((98.3, 99.2, 89.4, 97.9), "Nichol et al. 2018", True),
    "glyphs-anil": Published((None, None, 96.2, 98.0), "Raghu et al. 2020", True),
    "glyphs-reptile": Published((95.39, 98.90, 88.14, 96.65), "Nichol et al. 2018"),
    "glyphs-meta-sgd": Published((99.53, 99.93, 95.93, 98.97), "Li et al. 2017", True),
    "glyphs-maml-plus-plus": Published((99.47, 99.85, 97.65, 99.33), "Antoniou et al. 2019, five checkpoints", True),
}
"""By model. docs/methods.md names the secondary sources and the protocols that differ from ours."""

SHORT = "Trained for {} steps of 4 tasks from a prototypical encoder."
STILL = SHORT.format("200")
"""The validation accuracy stands still from the first check on, or falls."""

REMARKS: dict[str, str] = {
    "glyphs-best": "Two encoders, of 9,000 and 21,500 episodes. Goal: 99.5 / 99.9 / 98.5 / 99.5.",
    "glyphs-protonet": "Trained for 8,000 episodes of the training classes. The paper adds the validation classes.",
    "glyphs-matching": "Trained for 1,000 episodes at 60-way 1-shot, on an encoder trained for squared distances.",
    "glyphs-matching-fce": "Trained for 1,000 more episodes at 20-way 1-shot, from `glyphs-matching`.",
    "glyphs-relation": "Trained for 12,000 episodes of one and five shots. The published figures use the query batch.",
    "glyphs-gnn": "Trained for 20,000 episodes of one and five shots.",
    "glyphs-transformer": "Trained for 3,000 episodes, at 60-way 1-shot only.",
    "glyphs-maml": STILL
    + " The paper takes 60,000. The published figure uses query statistics, which are worth 1 to 2 points.",
    "glyphs-fomaml": STILL,
    "glyphs-anil": STILL,
    "glyphs-meta-sgd": STILL,
    "glyphs-maml-plus-plus": STILL,
    "glyphs-alfa": STILL,
    "glyphs-proto-maml": SHORT.format("600"),
    "glyphs-reptile": STILL,
    "glyphs-cavia": "Adapts 320 numbers, which reach a norm and, unlike in the paper, the head. 5 classes at most.",
    "glyphs-pmf": "Fine-tunes on moved copies of the support set, which does not improve on the prototypes.",
    "glyphs-tim": "Transductive. It assumes balanced classes among the queries, as they are in this test.",
    "glyphs-progressive": "Trains its column on one drawing a class, which does not improve on the prototypes.",
}
"""Remarks on the figures, by model."""
