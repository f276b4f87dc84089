"""The models of nodes of a graph."""

from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

SIZE = {"nodes": 32, "slots": 64, "vocabulary": 4096}
LIMITS = (
    "For graphs whose neighbours are mostly of one class, such as papers that cite each other.",
    "Each node is answered from its own neighbourhood of at most 32 nodes, sampled where there are more; no answer "
    "uses the rest of the graph, as label propagation would.",
    "Items are present or absent; they have no weights.",
)


def _nodes(title: str, spec: Spec, **options: Any) -> Recipe:
    training = {"steps": 300, "tasks_per_step": 4, "lr": 0.03} | options
    return Recipe(
        title=title,
        spec=spec,
        dataset="graphs",
        training_split="citeseer-blocks",
        validation_split="citeseer",
        episode=Shape(6, 5, 5),
        alternating=(Shape(4, 1, 5), Shape(6, 10, 5)),
        validation_episode=Shape(6, 5, 5),
        input={"type": "graph"} | SIZE,
        limits=LIMITS,
        **training,
    )


RIDGE = {"scale": 10.0, "normalised": True}
NODES: dict[str, Recipe] = {
    "nodes": _nodes("Nodes of a graph from a few labelled ones", Spec("ridge", "propagation", RIDGE, SIZE)),
    "nodes-protonet": _nodes("Nodes of a graph, prototypes", Spec("cosine", "propagation", {}, SIZE)),
    "nodes-gated": _nodes(
        "Nodes of a graph, gated graph network", Spec("ridge", "gated-graph", RIDGE, SIZE),
        steps=100, tasks_per_step=1, lr=0.003,
    ),
    "nodes-maml": _nodes(
        "Nodes of a graph, MAML over a graph network (Meta-GNN)",
        Spec("maml", "propagation", {"inner_lr": 5.0, "inner_steps": 10}, SIZE | {"length": 5.0}), steps=150,
    ),
}  # fmt: skip
