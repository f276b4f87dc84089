"""Nodes of a graph, each with its neighbourhood."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.graph_arrays import packed, unpacked
from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.kind import Columns, Decoded, InputKind
from service.inputs.limits import Limits
from service.inputs.pixel_arrays import json_type
from service.inputs.sent import Part, json_of

LARGEST_VOCABULARY = 2**15 - 1
EDGES = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}}
ITEMS = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}


class Graph(InputKind):
    """A node with its neighbourhood. So each input is complete, and a new graph needs no upload of its own.

    What a node has is a list of items: whole numbers below `vocabulary`, such as the numbers of its words.
    """

    description: ClassVar = (
        'a node and its neighbours: {"nodes": [[0, 7], [3], ...], "edges": [[0, 1], ...]}, the items of each node, the '
        "one that is asked about first, and pairs of neighbours"
    )
    json_schemas: ClassVar = [
        {
            "type": "object",
            "properties": {"nodes": ITEMS, "edges": EDGES},
            "required": ["nodes"],
            "additionalProperties": False,
        }
    ]

    type: Literal["graph"] = "graph"
    nodes: int = Field(description="Most nodes of an input. Send a sample of the neighbours of a node that has more.")
    slots: int = Field(description="Most items of a node.")
    vocabulary: int = Field(le=LARGEST_VOCABULARY, description="Items are whole numbers below it.")

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to int16 (n, nodes, slots + nodes), as in `models.graph_arrays`."""
        return Decoded(np.stack([self._decoded(one, field) for one, field in zip(raw, fields, strict=True)]), [])

    def of_part(self, part: Part) -> Any:
        """An object in JSON."""
        return json_of(part.content, part.place)

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """The items of each node, and a matrix of the edges beside them."""
        return {
            "dtype": "int16",
            "shape": [self.nodes, self.slots + self.nodes],
            "steps": [
                "Begin with zeros. A row is a node; the first one is the node that is asked about.",
                f"The first {self.slots} columns are the items of the node, each plus 1.",
                f"The other {self.nodes} columns are the nodes: 1 for each neighbour, in both directions.",
            ],
        }

    def show(self, inputs: Array) -> list[Any]:
        """The inputs as objects."""
        return [dict(zip(("nodes", "edges"), unpacked(one), strict=True)) for one in inputs]

    def examples(self, count: int, rng: np.random.Generator) -> NDArray[np.int16]:
        """Stars of up to five nodes with a few items each."""
        few = min(self.slots, 8)
        stars = [
            packed(
                rng.integers(0, self.vocabulary, (size, few)).tolist(), [(0, i) for i in range(1, size)], *self._size
            )
            for size in rng.integers(1, min(self.nodes, 5) + 1, count).tolist()
        ]
        return np.stack(stars)

    def work(self, raw: Sequence[Any]) -> int:
        """The cells of the arrays."""
        return len(raw) * self.nodes * (self.slots + self.nodes)

    @property
    def _size(self) -> tuple[int, int]:
        return self.nodes, self.slots

    def _decoded(self, raw: Any, field: str) -> NDArray[np.int16]:
        if not isinstance(raw, dict) or not {"nodes"} <= set(raw) <= {"nodes", "edges"}:
            here = (
                f"an object with {', '.join(sorted(map(str, raw)))[:80]}" if isinstance(raw, dict) else json_type(raw)
            )
            raise Unprocessable(f"{field}: takes {self.description}; here is {here}.", field=field)
        items = self._items(raw["nodes"], field)
        return packed(items, _edges(raw.get("edges", []), len(items), field), *self._size)

    def _items(self, raw: Any, field: str) -> list[list[int]]:
        if not isinstance(raw, list) or not 0 < len(raw) <= self.nodes:
            count = f"{len(raw)} nodes" if isinstance(raw, list) else json_type(raw)
            detail = (
                f"{field}: `nodes` is a list of 1 to {self.nodes} nodes; here is {count}. Send a sample of neighbours."
            )
            raise Unprocessable(detail, field=field)
        for place, own in enumerate(raw):
            if not isinstance(own, list) or len(own) > self.slots or not all(map(self._is_item, own)):
                raise Unprocessable(
                    f"{field}: node {place}: takes a list of at most {self.slots} items, whole numbers from 0 to "
                    f"{self.vocabulary - 1}.",
                    field=field,
                )
        return raw

    def _is_item(self, value: Any) -> bool:
        return type(value) is int and 0 <= value < self.vocabulary


def _edges(raw: Any, nodes: int, field: str) -> list[tuple[int, int]]:
    """Pairs of different nodes. Raises Unprocessable."""
    most = nodes * nodes
    if not isinstance(raw, list) or len(raw) > most:
        raise Unprocessable(f"{field}: `edges` is a list of at most {most} pairs of nodes.", field=field)
    for place, pair in enumerate(raw):
        if not (
            isinstance(pair, list) and len(pair) == 2 and all(type(end) is int and 0 <= end < nodes for end in pair)
        ):
            raise Unprocessable(
                f"{field}: edge {place}: takes two numbers of nodes, from 0 to {nodes - 1}.", field=field
            )
    return [(a, b) for a, b in raw if a != b]
