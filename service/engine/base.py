"""What the use cases ask of an engine; imports no torch, so that the API can do without."""

from typing import NamedTuple, Protocol

from service.arrays import Array, Arrays


class SupportSet(NamedTuple):
    """A client's labelled examples: inputs (n, *input); targets (n,) class indices or (n, outputs); ways, or 0."""

    inputs: Array
    targets: Array
    ways: int


class StateNotCached(Exception):
    """The state is not on the device: it has to come with the queries."""


class Engine(Protocol):
    """Adapts and answers, many clients at a time. Raises Busy when its queue is full, DeadlineExceeded, Unavailable."""

    async def adapt(self, model: str, key: str, support: SupportSet) -> Arrays:
        """The state that a support set gives, which is held under `key` from then on."""
        ...

    async def predict(self, model: str, key: str, queries: Array, state: Arrays | None = None) -> Array:
        """Logits (q, ways) or values (q, outputs) from the state held under `key`, or from `state`, which is held from
        then on. Raises StateNotHeld when there is neither."""
        ...

    def evict(self, key: str) -> None:
        """Hold a state no longer."""
        ...

    def alive(self) -> bool:
        """Whether a worker works and has warmed up."""
        ...
