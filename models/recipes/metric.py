"""The models that compare queries with the support, and those that fit a head on a frozen encoder."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.drawings import LIMITS, drawings
from models.recipes.recipe import Recipe


def _metric(learner: str, title: str, options: dict[str, Any] | None = None, *, steps: int = 1_000) -> Recipe:
    """Trained 20-way 1-shot, from the prototypical encoder. The encoder is trained too."""
    return drawings(
        title,
        Spec(learner, "conv4", options or {}),
        steps=steps,
        episode=Shape(20, 1, 5),
        tasks_per_step=1,
        lr=3e-4,
        precision="bfloat16",
        start="glyphs-protonet",
        augment=None,
    )


def _frozen(learner: str, title: str, options: dict[str, Any] | None = None) -> Recipe:
    """No training of its own: the prototypical encoder, unchanged."""
    spec = Spec(learner, "conv4", options or {})
    shape = Shape(20, 1, 5)
    return drawings(title, spec, steps=0, episode=shape, tasks_per_step=1, lr=0.0, start="glyphs-protonet")


METRIC: dict[str, Recipe] = {
    "glyphs-matching": replace(
        _metric("matching", "Attention over the support", {"scale": 40.0}), episode=Shape(60, 1, 3)
    ),
    "glyphs-matching-fce": replace(
        _metric("matching", "The same, with full context embeddings", {"scale": 40.0, "full_context": True}),
        start="glyphs-matching",
    ),
    "glyphs-relation": replace(
        _metric("relation", "A learned similarity", steps=12_000),
        curriculum=Shape(5, 1, 5),
        alternating=(Shape(10, 5, 5),),
        lr=1e-3,
    ),
    "glyphs-gnn": replace(
        _metric("gnn", "A graph of the support and one query", steps=20_000),
        episode=Shape(20, 1, 1),
        alternating=(Shape(5, 1, 4), Shape(5, 5, 4)),
        lr=1e-3,
    ),
    "glyphs-transformer": replace(
        _metric("transformer", "A transformer that reads the support set as context", {"outputs": 60}, steps=3_000),
        episode=Shape(60, 1, 3),
        lr=1e-3,
    ),
}

TUNING = {"copies": 2, "inner_lr": 0.001, "eval_inner_steps": 3}
"""Larger learning rates only lowered the accuracy on a few validation episodes."""

TRANSFER: dict[str, Recipe] = {
    "glyphs-pmf": replace(
        _frozen("pmf", "Prototypes after fine-tuning on the client's own drawings", TUNING),
        start="glyphs-protonet-start",
    ),
    "glyphs-tim": replace(
        _frozen("tim", "Transductive: the queries of a request are classified together", {"inner_lr": 0.1}),
        limits=(
            *LIMITS,
            "Expects equally many queries of each class. It tends to give each class the same number of queries.",
        ),
    ),
    "glyphs-tim-alpha": _frozen("tim", "The same, for queries with imbalanced classes", {"alpha": 5.0}),
    "glyphs-progressive": _frozen("progressive", "A small network of the client's own beside a frozen one"),
    "glyphs-ridge": _frozen("ridge", "Ridge regression on a frozen encoder: the baseline", {"normalised": True}),
    "glyphs-logistic": _frozen("logistic", "Logistic regression on a frozen encoder: the baseline", {"penalty": 0.01}),
}
