"""The models of molecules: one with an encoder that is meta-trained over assays, one that needs no training."""

from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.molecules import CENTRES, SCALES
from models.recipes.recipe import Recipe

BITS = 1024
PARTS: dict[str, Any] = {"bits": BITS, "centres": list(CENTRES), "scales": list(SCALES)}
SIZES = "Up to 400 characters of SMILES and 200 atoms. Of salts and mixtures, all parts are read as one."

ATOMS = 48


def _assays(
    title: str, kernels: list[str], encoder: dict[str, Any], limits: tuple[str, ...], input: dict[str, Any]
) -> Recipe:
    return Recipe(
        title=title,
        spec=Spec("mixed-kernels", "molecule", {"kernels": kernels}, PARTS | encoder),
        dataset="molecules",
        training_split="train",
        validation_split="held-out-molecules",
        episode=Shape(2, 16, 16),
        validation_episode=Shape(2, 10, 16),
        steps=400,
        tasks_per_step=6,
        lr=1e-3,
        weight_decay=0.05,
        input={"type": "molecule", "bits": BITS} | input,
        limits=(
            "Trained on nine assays of Tox21 and the 17 of MUV: toxicity and binding of small organic molecules.",
            *limits,
            "For few molecules: it takes up to 512.",
            "It ranks molecules that are worth a measurement; it is no proof of safety.",
            SIZES,
        ),
    )


MOLECULES: dict[str, Recipe] = {
    "molecules": _assays(
        "Molecules, active or not in an assay of your own",
        ["cosine", "tanimoto", "rbf"],
        {"widths": [256, 128], "dropout": 0.5},
        ("On other tasks it is hardly better than a Tanimoto kernel: by 0.01 to 0.03 ROC-AUC on BBBP and ClinTox.",),
        {},
    ),
    "molecules-graph": _assays(
        "Molecules, active or not in an assay of your own, read atom by atom too",
        ["cosine", "cosine", "tanimoto", "rbf"],
        {"widths": [256, 128], "dropout": 0.5, "atoms": ATOMS},
        (f"Of larger molecules, only the first {ATOMS} atoms are read one by one, with a warning.",),
        {"atoms": ATOMS},
    ),
    "molecules-regression": Recipe(
        title="Molecules, a number that you measure",
        spec=Spec(
            "mixed-kernels",
            "molecule",
            {"kernels": ["tanimoto", "wide-rbf"], "kind": "regression", "strength": 0.05},
            PARTS | {"widths": []},
        ),
        dataset="molecule-properties",
        training_split="choice",
        validation_split=None,
        episode=Shape(0, 20, 20),
        validation_episode=Shape(0, 20, 20),
        steps=0,
        tasks_per_step=1,
        lr=0.0,
        input={"type": "molecule", "bits": BITS},
        outputs=1,
        limits=(
            "Answers are no farther beyond the examples than half of their range.",
            "With ten molecules, lipophilicity is answered no better than by the mean of the examples.",
            "For few molecules: it takes up to 512.",
            SIZES,
        ),
    ),
}
