"""Searches a history of one client for an order of its operations that explains every answer.

Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects" (1990). The search is that of Wing
and Gong, with a memo of the orders that failed.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Client(NamedTuple):
    """What the service must know: the version, and the examples in the order in which they were taught."""

    version: int
    examples: tuple[int, ...]


class Operation(NamedTuple):
    """`result` is None when there was no such client, and IN_DOUBT when the answer said nothing about the outcome.

    `began` and `ended` are places on one line of time.
    """

    name: str
    example: int
    result: object
    began: float
    ended: float


IN_DOUBT = "in doubt"
State = Client | None


def step(state: State, operation: Operation) -> tuple[State, object]:
    """The state after an operation, and what it must answer."""
    match operation.name:
        case "adapt":
            after = Client(state.version + 1 if state else 1, (operation.example,))
            return after, after.version
        case "append" if state is not None:
            after = Client(state.version + 1, (*state.examples, operation.example))
            return after, after.version
        case "delete" if state is not None:
            return None, True
        case "predict":
            return state, state
        case "get" | "list":
            return state, None if state is None else (state.version, len(state.examples))
    return state, None


def linearizable(history: Sequence[Operation]) -> bool:
    """Whether there is an order of the operations that respects time and explains all results."""
    failed: set[tuple[frozenset[int], State]] = set()

    def search(left: frozenset[int], state: State) -> bool:
        if all(history[i].result == IN_DOUBT for i in left):
            return True
        if (left, state) in failed:
            return False
        first_end = min(math.inf if history[i].result == IN_DOUBT else history[i].ended for i in left)
        for i in left:
            if history[i].began <= first_end:
                after, expected = step(state, history[i])
                if history[i].result in (expected, IN_DOUBT) and search(left - {i}, after):
                    return True
        failed.add((left, state))
        return False

    return search(frozenset(range(len(history))), None)
