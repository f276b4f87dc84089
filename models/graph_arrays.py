"""The neighbourhood of a node as an array of whole numbers. Needs no torch.

The array is (nodes, items + nodes) int16. A row is a node: first its items, each its number plus 1, then zeros; then 1
for each node that it has an edge with. The node that is asked about comes first. Rows without a node are zeros.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int16]


def packed(items: Sequence[Sequence[int]], edges: Iterable[tuple[int, int]], nodes: int, slots: int) -> Numbers:
    """The array of a neighbourhood.

    Args:
        items: The items of each node, at most `slots` each. At most `nodes` nodes.
        edges: Pairs of nodes; their direction does not count.
        nodes: Rows of the array.
        slots: Items of a row.
    """
    array = np.zeros((nodes, slots + nodes), np.int16)
    for row, own in enumerate(items):
        array[row, : len(own)] = np.asarray(own, np.int16) + 1
    for a, b in edges:
        array[a, slots + b] = array[b, slots + a] = 1
    return array


def unpacked(array: Numbers) -> tuple[list[list[int]], list[list[int]]]:
    """The items of each node and the edges, each once; without the empty rows at the end."""
    nodes, slots = len(array), array.shape[1] - len(array)
    used = np.flatnonzero(array.any(1))
    count = int(used[-1]) + 1 if len(used) else 1
    items = [(row[row > 0] - 1).tolist() for row in array[:count, :slots]]
    edges = np.argwhere(np.triu(array[:, slots : slots + nodes]))
    return items, edges.tolist()
