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

REMARKS: dict[str, str] = {}
"""Why a model falls short, or what its figures need said, by model."""
