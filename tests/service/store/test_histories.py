"""The search accepts exactly the histories that an order explains."""

import pytest

from tests.service.store.histories import IN_DOUBT, Operation, linearizable


def history(*operations: tuple) -> list[Operation]:
    return [Operation(*each) for each in operations]


@pytest.mark.parametrize(
    "operations",
    [
        history(("adapt", 7, 1, 0, 1), ("predict", 0, (1, (7,)), 2, 3), ("delete", 0, True, 4, 5)),
        history(("delete", 0, None, 0, 3), ("adapt", 7, 1, 1, 2), ("get", 0, (1, 1), 4, 5)),
        history(("delete", 0, True, 0, 5), ("adapt", 7, 1, 1, 2), ("get", 0, None, 6, 7)),
        history(("adapt", 7, IN_DOUBT, 0, 1), ("get", 0, None, 2, 3), ("get", 0, (1, 1), 4, 5)),
        history(("adapt", 7, 1, 0, 1), ("append", 8, 2, 2, 5), ("append", 9, 3, 2, 5), ("list", 0, (3, 3), 6, 7)),
        history(("adapt", 7, 1, 0, 1), ("remove", 7, 2, 2, 3), ("predict version", 1, "version_gone", 4, 5)),
        history(
            ("adapt", 7, 1, 0, 1), ("relabel", 7, 2, 2, 3), ("rollback", 1, 3, 4, 5), ("predict", 0, (3, (7,)), 6, 7)
        ),
        history(("adapt", 7, 1, 0, 1), ("keep", 8, True, 2, 3), ("feedback", 8, 2, 4, 5), ("get", 0, (2, 2), 6, 7)),
    ],
)
def test_a_history_that_some_order_explains_is_accepted(operations):
    assert linearizable(operations)


@pytest.mark.parametrize(
    "operations",
    [
        history(("delete", 0, None, 0, 3), ("adapt", 7, 1, 1, 2), ("get", 0, None, 4, 5)),
        history(("adapt", 7, 1, 0, 1), ("delete", 0, True, 2, 5), ("delete", 0, True, 2, 5)),
        history(("adapt", 7, 1, 0, 1), ("append", 8, 3, 2, 3)),
        history(("adapt", 7, 1, 0, 1), ("get", 0, None, 2, 3)),
        history(("adapt", 7, 1, 0, 1), ("adapt", 8, 2, 2, 3), ("predict", 0, (2, (7,)), 4, 5)),
        history(("adapt", 7, IN_DOUBT, 0, 1), ("get", 0, (1, 1), 2, 3), ("get", 0, None, 4, 5)),
        history(("adapt", 7, 1, 0, 1), ("remove", 7, 2, 2, 3), ("predict version", 1, (1, (7,)), 4, 5)),
        history(("adapt", 7, 1, 0, 1), ("relabel", 7, 2, 2, 3), ("predict", 0, (2, (7,)), 4, 5)),
        history(("adapt", 7, 1, 0, 1), ("keep", 8, True, 2, 3), ("feedback", 8, "unknown_prediction", 4, 5)),
        history(
            ("adapt", 7, 1, 0, 1),
            ("keep", 8, True, 2, 3),
            ("delete", 0, True, 4, 5),
            ("adapt", 9, 1, 6, 7),
            ("feedback", 8, 2, 8, 9),
        ),
    ],
)
def test_a_history_that_no_order_explains_is_found(operations):
    assert not linearizable(operations)
