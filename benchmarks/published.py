"""What the papers and their re-implementations report on Omniglot, in %: 5w1s, 5w5s, 20w1s, 20w5s."""

from typing import NamedTuple


class Published(NamedTuple):
    """The best figures that an honest run of the method reached, and by whom."""

    figures: tuple[float | None, float | None, float | None, float | None]
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
"""By model; secondary sources and the protocols that differ from ours are named in docs/methods.md."""

SHORT = "{} steps of 4 tasks from a prototypical encoder, minutes of one core; the paper takes 60,000 of 16 or more."

REMARKS: dict[str, str] = {
    "glyphs-best": "two hours of one core, 20,000 episodes; the goal is 99.5 / 99.9 / 98.5 / 99.5.",
    "glyphs-protonet": "6,000 episodes of the training classes; the paper's model has the validation ones too.",
    "glyphs-matching": "3,000 episodes at 20-way 1-shot, on an encoder that was trained for squared distances.",
    "glyphs-matching-fce": "1,000 episodes at 20-way 1-shot, on the same encoder.",
    "glyphs-relation": "4,000 episodes, of one shot and of five; the published figures see the query batch.",
    "glyphs-gnn": "1,500 episodes, minutes of one core.",
    "glyphs-transformer": "4,000 episodes at 20-way 1-shot alone.",
    "glyphs-maml": SHORT.format("900") + " Query statistics, as in the published figure, are worth 1 to 2.",
    "glyphs-fomaml": SHORT.format("500"),
    "glyphs-anil": SHORT.format("1,000"),
    "glyphs-meta-sgd": SHORT.format("900"),
    "glyphs-maml-plus-plus": SHORT.format("900"),
    "glyphs-alfa": SHORT.format("900"),
    "glyphs-proto-maml": SHORT.format("600"),
    "glyphs-reptile": SHORT.format("250"),
    "glyphs-cavia": "100 numbers must say which class is which; 600 steps of 8 tasks, and 5 classes at most.",
    "glyphs-pmf": "what it fine-tunes on, moved copies of the support, teaches no more than the prototypes know.",
    "glyphs-tim": "transductive; the test queries are balanced, which is what it assumes.",
    "glyphs-progressive": "its column has one drawing a class to learn from, and does not improve on the prototypes.",
}
"""Why a model falls short, or what its figures need said, by model."""
