"""The models of tables. They need no training: each client's rows are all that is learned from."""

from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

LIMITS = (
    "For few rows: it takes up to 512.",
    "Columns of long texts, or of texts that hardly repeat, are not used.",
)


def _tables(title: str, kind: str, dataset: str, ways: int, *, outputs: int | None, limits: tuple[str, ...]) -> Recipe:
    options: dict[str, Any] = {"kind": kind} if kind == "regression" else {}
    return Recipe(
        title=title,
        spec=Spec("kernels", "identity", options),
        dataset=dataset,
        training_split="tables-choice",
        validation_split=None if outputs else "tables-choice",
        episode=Shape(ways, 16, 16),
        validation_episode=Shape(ways, 16, 16),
        steps=0,
        tasks_per_step=1,
        lr=0.0,
        input={"type": "table"},
        outputs=outputs,
        limits=(*LIMITS, *limits),
    )


TABLES: dict[str, Recipe] = {
    "tables": _tables("Rows of a table of any columns", "classification", "tables", 2, outputs=None, limits=()),
    "tables-regression": _tables(
        "A number for rows of a table of any columns",
        "regression",
        "tables-regression",
        0,
        outputs=1,
        limits=("Answers are no farther beyond the examples than half of their range.",),
    ),
    "tables-icl": Recipe(
        title="Rows of a table, by a transformer that reads them in context",
        spec=Spec("tables-in-context", "identity"),
        dataset="synthetic-tables",
        training_split="training",
        validation_split="validation",
        episode=Shape(10, 13, 4),
        validation_episode=Shape(3, 16, 16),
        curriculum=Shape(3, 16, 13),
        curriculum_steps=12_500,
        steps=25_000,
        tasks_per_step=16,
        lr=2e-3,
        weight_decay=0.01,
        precision="bfloat16",
        optimiser="muon",
        constant=True,
        averaging=0.998,
        input={"type": "table"},
        limits=(
            "For few rows: it takes up to 256, and up to ten classes.",
            "It reads the 32 features that correlate most with the labels; a category is a feature.",
            *LIMITS[1:],
        ),
    ),
}
