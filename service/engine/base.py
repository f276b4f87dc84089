"""The interface of an engine. Imports no torch, because API processes use it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from service.arrays import Array, Arrays, SupportSet

Share = tuple[str, str]
"""The tenant and the client that a job is for. Tenants share the device fairly, and so do the clients of a tenant."""
NOBODY: Share = ("", "")
"""The service itself."""


class Fits(NamedTuple):
    """The largest jobs of a model that are accepted now, by the measured costs, and the seconds that they take."""

    examples: int
    adapt_s: float
    inputs: int
    predict_s: float


Output = Literal["probabilities", "independent", "values"]
"""What a network answers: probabilities of classes that sum to 1, those of each label by itself, or values."""


class ExportJob(NamedTuple):
    """A client's network to write as an ONNX file.

    model        the name of the model
    state        the client's state, as it is stored
    example      two or more inputs (n, *input), as the model takes them
    output       what is answered
    temperature  divides the logits
    metadata     texts for the `metadata_props` of the file
    """

    model: str
    state: Arrays
    example: Array
    output: Output
    temperature: float
    metadata: dict[str, str]


class StateNotCached(Exception):
    """The state is not cached on the device. Send it along with the queries."""


class Engine(Protocol):
    """Adapts and predicts for many clients at a time. Raises TooCostly for a job that takes too long, Busy when its
    queue is full, DeadlineExceeded and Unavailable."""

    async def adapt(
        self,
        model: str,
        key: str,
        support: SupportSet,
        *,
        extends: str | None = None,
        kept: Sequence[int] | None = None,
        share: Share = NOBODY,
        rebuild: bool = False,
    ) -> Arrays:
        """Adapt to a support set, and cache the state.

        Args:
            model: Name of the model.
            key: Cache the state under this key.
            support: The support set.
            extends: Key of a state whose support set is the beginning of this one. If its features are still cached,
                only the new examples are encoded. The state is the same either way.
            kept: The examples of `extends` that this support set begins with, by their places. None: all of them.
            share: The tenant and the client.
            rebuild: The support set was accepted before, so that its adapt is never too costly.

        Returns:
            The state, in host memory.
        """
        ...

    async def predict(
        self, model: str, key: str, queries: Array, state: Arrays | None = None, *, share: Share = NOBODY
    ) -> Array:
        """Answer queries.

        Args:
            model: Name of the model.
            key: Key of the state that answers.
            queries: Inputs (q, *input).
            state: The state, to cache under `key` first. None: it is already cached.
            share: The tenant and the client.

        Returns:
            Logits (q, ways) or values (q, outputs).

        Raises:
            StateNotCached: No state is cached under `key`.
        """
        ...

    async def held_out(self, model: str, key: str, support: SupportSet, *, share: Share = NOBODY) -> Arrays:
        """Answer each example of a support set as if it had not been learned.

        Args:
            model: Name of the model.
            key: Key of the state of the support set. If its features are still cached, nothing is encoded.
            support: The support set.
            share: The tenant and the client.

        Returns:
            `fold` (n,): examples with one number were left out together; -1 for one that was not left out, because its
            class would have had no examples. `answers`: logits (n, ways) or values (n, outputs), NaN for such a one.
            `familiar` (n,): how familiar it was, as of `familiar`.
        """
        ...

    async def familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None = None, *, share: Share = NOBODY
    ) -> Array:
        """How familiar queries are to a support set.

        Args:
            model: Name of the model.
            key: Key of the state of the support set.
            queries: Inputs (q, *input).
            support: The support set. None: its features are cached.
            share: The tenant and the client.

        Returns:
            Scores (q,), low for queries of no class; NaN if the model cannot tell.

        Raises:
            StateNotCached: The features are not cached, and `support` is None.
        """
        ...

    async def features(self, model: str, queries: Array, *, share: Share = NOBODY) -> Array:
        """Features (q, d) of queries: those of the model's encoder, or else the numbers of the inputs.

        Args:
            model: Name of the model.
            queries: Inputs (q, *input).
            share: The tenant and the client.
        """
        ...

    async def explain(
        self,
        model: str,
        key: str,
        queries: Array,
        contrast: Array,
        support: SupportSet,
        parts: int = 0,
        *,
        share: Share = NOBODY,
    ) -> Arrays:
        """What the examples of a support set contribute to the answers to queries.

        Args:
            model: Name of the model.
            key: Key of the state of the support set. If its features are still cached, only the queries are encoded.
            queries: Inputs (q, *input).
            contrast: The difference of answers that is explained, (q, ways or outputs): 1 for an answer, -1 for another
                that is subtracted.
            support: The support set.
            parts: Number of predicts of queries with a part hidden that will follow. Their cost is counted here.
            share: The tenant and the client.

        Returns:
            `weights` (q, n): of each example; NaN if there is no answer without it. `names` (q, ways or 0): of the
            name of each class. `exact` (1,): whether these add up to the difference, with a base that is no example's;
            otherwise a weight is how the difference changes when the example is left out. `votes` (1,): the difference
            is one of the model's own probabilities, not of logits.

        Raises:
            TooCostly: All of it takes too long.
        """
        ...

    async def export(self, job: ExportJob, *, share: Share = NOBODY) -> bytes:
        """The ONNX file of a client's network.

        Raises:
            NotExportable: ONNX does not know an operation of the model, or the extra `onnx` is not installed.
        """
        ...

    def evict(self, key: str) -> None:
        """Remove a state from the cache."""
        ...

    def alive(self) -> bool:
        """Whether a worker runs and has warmed up."""
        ...

    def spent(self) -> dict[str, float]:
        """Seconds of the device that each tenant has used since the last call."""
        ...

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest jobs that are accepted now.

        Args:
            model: Name of the model.
            ways: Classes of a support set.
            examples: Most examples to consider.
            inputs: Most inputs of a predict to consider.
        """
        ...
