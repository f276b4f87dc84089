"""Nodes with their neighbourhoods become arrays; what is none is refused with its field."""

import numpy as np
import orjson
import pytest

from models.graph_arrays import packed, unpacked
from service.errors import Unprocessable
from service.inputs.graph import Graph
from service.inputs.limits import Limits
from service.inputs.sent import Part

KIND = Graph(nodes=4, slots=3, vocabulary=10)
NODE = {"nodes": [[0, 7], [3], []], "edges": [[0, 1], [2, 0]]}


def decode(*raw: object) -> np.ndarray:
    return KIND.decode(raw, [f"inputs[{i}]" for i in range(len(raw))], Limits(1)).array()


def test_a_row_holds_the_items_and_the_edges_of_a_node():
    [found] = decode(NODE)
    assert found.dtype == np.int16
    assert found.tolist() == [[1, 8, 0, 0, 1, 1, 0], [4, 0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0] * 7]


def test_a_node_may_have_no_neighbours():
    assert decode({"nodes": [[2]]})[0].sum() == 3


def test_an_edge_from_a_node_to_itself_is_ignored():
    assert decode({"nodes": [[2]], "edges": [[0, 0]]}).tolist() == decode({"nodes": [[2]]}).tolist()


def test_inputs_are_shown_as_they_were_sent():
    [shown] = KIND.show(decode(NODE))
    assert shown == {"nodes": NODE["nodes"], "edges": [[0, 1], [0, 2]]}
    assert decode(shown).tolist() == decode(NODE).tolist()


def test_an_empty_node_is_shown():
    assert KIND.show(decode({"nodes": [[]]})) == [{"nodes": [[]], "edges": []}]


def test_a_form_field_holds_json():
    assert KIND.of_part(Part(orjson.dumps(NODE), "inputs")) == NODE


@pytest.mark.parametrize(
    "bad",
    [
        None, [], 1, "x", {}, {"edges": []}, {"nodes": [[1]], "more": 1}, {"nodes": []}, {"nodes": 3},
        {"nodes": [[1]] * 5}, {"nodes": [[1, 2, 3, 4]]}, {"nodes": [[10]]}, {"nodes": [[-1]]}, {"nodes": [[True]]},
        {"nodes": [[1.0]]}, {"nodes": [["a"]]}, {"nodes": [1]}, {"nodes": [[1]], "edges": [[0, 1]]},
        {"nodes": [[1]], "edges": [[0]]}, {"nodes": [[1]], "edges": [0]}, {"nodes": [[1]], "edges": None},
        {"nodes": [[1]], "edges": [[0, -1]]}, {"nodes": [[1]], "edges": [[0, 0]] * 2}, {"nodes": [[10**400]]},
    ],
    ids=lambda bad: str(bad)[:40],
)  # fmt: skip
def test_what_is_no_node_is_refused_with_its_field(bad):
    with pytest.raises(Unprocessable) as refusal:
        decode(NODE, bad)
    assert refusal.value.field == "inputs[1]"


def test_random_examples_can_be_sent():
    made = KIND.examples(20, np.random.default_rng(0))
    assert decode(*KIND.show(made)).shape == made.shape == (20, 4, 7)


def test_packing_and_unpacking_are_inverse():
    items, edges = [[1, 2], [0], [5]], [[0, 1], [1, 2]]
    assert unpacked(packed(items, [(a, b) for a, b in edges], nodes=6, slots=4)) == (items, edges)
