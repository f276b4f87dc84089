"""What one request costs, as measured, and where the results are kept."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from benchmarks.results import read

API_TURNS = 3
"""Turns of an API process for a request: before Redis, between Redis and the worker, and for the answer."""
WAKES = 6
"""Times that a process is woken for a request: the load generator, the API for each turn, Redis, the worker."""


class Costs(NamedTuple):
    """Seconds of processor time of one request, by process, and bytes.

    `..._batch_s` is for each batch of the worker, however many jobs it has, and `api_turn_s` for each turn of the event
    loop of an API process, however many requests are in it. `miss_...` are what a predict costs beyond that if the
    worker does not have the client's state. `client_s` is that of the load generator, for the checks. `delays_s` are
    quantiles, evenly spaced, of the seconds until a woken process runs, with all that stretches its turn: other
    programs, the interpreter's lock, garbage collection. `state_bytes` and `client_bytes` are the memory of Redis for a
    state, and for the rest of a client.
    """

    predict_api_s: float
    predict_redis_s: float
    predict_worker_s: float
    predict_batch_s: float
    miss_api_s: float
    miss_redis_s: float
    miss_worker_s: float
    adapt_api_s: float
    adapt_redis_s: float
    adapt_worker_s: float
    adapt_batch_s: float
    client_s: float
    predict_bytes: float
    adapt_bytes: float
    state_bytes: float
    client_bytes: float
    api_turn_s: float = 0.0
    delays_s: Sequence[float] = (0.0,)

    @classmethod
    def measured(cls) -> Self:
        """The costs of the last measurement. Raises KeyError if there was none."""
        found: Mapping[str, Any] = read()["scale"]["costs"]
        return cls(**found)
