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


def _nodes(learner: str, title: str, options: dict[str, Any], lr: float) -> Recipe:
    return Recipe(
        title=title,
        spec=Spec(learner, "propagation", options, SIZE),
        dataset="graphs",
        training_split="citeseer-blocks",
        validation_split="citeseer",
        episode=Shape(6, 5, 5),
        alternating=(Shape(4, 1, 5), Shape(6, 10, 5)),
        validation_episode=Shape(6, 5, 5),
        steps=300,
        tasks_per_step=4,
        lr=lr,
        input={"type": "graph"} | SIZE,
        limits=LIMITS,
    )


NODES: dict[str, Recipe] = {
    "nodes": _nodes("ridge", "Nodes of a graph from a few labelled ones", {"scale": 10.0, "normalised": True}, 0.03),
    "nodes-protonet": _nodes("cosine", "Nodes of a graph, prototypes", {}, 0.03),
}
