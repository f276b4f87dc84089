"""Searches a history of one client for an order of its operations that explains every answer.

Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects" (1990). The search is that of Wing
and Gong, with a memo of the orders that failed.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

KEPT = 4
"""Versions that the store keeps."""
Labelled = tuple[tuple[int, int], ...]
"""The ids of examples and their labels, in the order in which they were taught."""


class Client(NamedTuple):
    """What the service must know: the version, the examples, those of earlier versions (None: a removal took it), and
    the kept queries."""

    version: int
    examples: Labelled
    past: tuple[Labelled | None, ...] = ()
    kept: frozenset[int] = frozenset()

    def next(self, examples: Labelled, without: int | None = None) -> "Client":
        """The client after a change; earlier versions with the example `without` are gone."""
        past = (*self.past, self.examples)
        kept = tuple(None if each is None or without in dict(each) else each for each in past)
        return Client(self.version + 1, examples, kept, self.kept)

    def at(self, version: int) -> "Labelled | str":
        """The examples of a version, or the refusal."""
        if not max(1, self.version - KEPT + 1) <= version <= self.version:
            return "unknown_version"
        found = (*self.past, self.examples)[version - 1]
        return "version_gone" if found is None else found


def labels(examples: Labelled) -> tuple[int, ...]:
    """What a predict shows of examples."""
    return tuple(label for _, label in examples)


class Operation(NamedTuple):
    """`result` is None when there was no such client, and IN_DOUBT when the answer said nothing about the outcome.

    `example` is that of the request, or its version. `began` and `ended` are places on one line of time.
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
    if state is None:
        first = Client(1, ((operation.example, operation.example),))
        return (first, 1) if operation.name == "adapt" else (None, None)
    return STEPS[operation.name](state, operation.example)


RELABELLED = 1000
"""What a relabel adds to the number of an example."""


FED_BACK = 2000
"""What feedback adds to it: the service names such an example, so that no request has its id."""


def _changed(after: Client) -> tuple[State, object]:
    return after, after.version


def _predicted(state: Client, version: int) -> tuple[State, object]:
    found = state.at(version)
    if isinstance(found, str):
        return state, found
    return state, (version, labels(found)) if found else "too_few_examples"


def _removed(state: Client, number: int) -> tuple[State, object]:
    if number not in dict(state.examples):
        return state, "unknown_example"
    return _changed(state.next(tuple(each for each in state.examples if each[0] != number), number))


def _relabelled(state: Client, number: int) -> tuple[State, object]:
    if number not in dict(state.examples):
        return state, "unknown_example"
    new = [(one, number + RELABELLED if one == number else label) for one, label in state.examples]
    return _changed(state.next(tuple(new)))


def _rolled_back(state: Client, version: int) -> tuple[State, object]:
    found = state.at(version)
    return (state, found) if isinstance(found, str) else _changed(state.next(found))


def _kept(state: Client, number: int) -> tuple[State, object]:
    return state._replace(kept=state.kept | {number}), True


def _fed_back(state: Client, number: int) -> tuple[State, object]:
    if number not in state.kept:
        return state, "unknown_prediction"
    return _changed(state.next((*state.examples, (number + FED_BACK, number))))


def _shown(state: Client, _: int) -> tuple[State, object]:
    return state, (state.version, len(state.examples))


def _listed(state: Client, _: int) -> tuple[State, object]:
    return state, (state.version, tuple(sorted(labels(state.examples))))


STEPS: dict[str, Callable[[Client, int], tuple[State, object]]] = {
    "adapt": lambda state, number: _changed(state.next(((number, number),))),
    "append": lambda state, number: _changed(state.next((*state.examples, (number, number)))),
    "delete": lambda state, _: (None, True),
    "predict": lambda state, _: _predicted(state, state.version),
    "predict version": _predicted,
    "get": _shown,
    "list": _shown,
    "examples": _listed,
    "remove": _removed,
    "relabel": _relabelled,
    "rollback": _rolled_back,
    "keep": _kept,
    "feedback": _fed_back,
}


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
