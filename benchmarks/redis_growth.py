"""The time that Redis spends on each call as the clients grow: python -m benchmarks.redis_growth [--most 100000]

Microseconds of Redis itself (INFO commandstats) for each call of the API, and for the jobs that run once a minute.
Writes into docs/performance.json after each number of clients.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import redis

from benchmarks.driving import console, handful
from benchmarks.peers.network import PROTONET
from benchmarks.results import keep
from benchmarks.services import SERVICES, adapt_body, predict_body
from benchmarks.stored import AT_ONCE, FIRST, adapt_first, copy
from service.api.auth import OPEN_TENANT
from service.store.store import Store

SERVICE = SERVICES["handful"]
SIZES = (1_000, 10_000, 100_000, 200_000, 1_000_000)
CALLS = 50

Call = Callable[[], Any]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="Clients at the end.")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with handful() as (one, redis_url), redis.Redis.from_url(redis_url) as store:
        first, there = adapt_first(one, store), 0
        with httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=60) as http:
            for size in (size for size in SIZES if size <= given.most):
                for start in range(there, size, AT_ONCE):
                    copy(store, first, range(start, min(start + AT_ONCE, size)))
                there = size
                found[str(size)] = point(http, store, redis_url, size)
                console.print(size, found[str(size)])
                keep(redis_growth=found)


def point(http: httpx.Client, store: redis.Redis, url: str, size: int) -> dict[str, float]:
    """Microseconds of each call, and of each job."""
    middle = f"{size // 2:06}"
    asked = predict_body(SERVICE, PROTONET, 0, 1).replace(FIRST.client_id.encode(), middle.encode())
    taught = adapt_body(SERVICE, PROTONET, 1, 1)
    headers = {"content-type": SERVICE.content_type}
    calls: dict[str, Call] = {
        "predict": lambda: http.post("/predict", content=asked, headers=headers),
        "adapt": lambda: http.post("/adapt", content=taught, headers=headers),
        "show a client": lambda: http.get(f"/clients/{middle}"),
        "list 100 clients": lambda: http.get("/clients", params={"after": middle, "limit": 100}),
        "examples of a client": lambda: http.get(f"/clients/{middle}/examples"),
        "usage": lambda: http.get("/usage"),
        "delete a client": lambda: http.delete(f"/clients/{PROTONET}-1"),
    }
    jobs = {"compare the counts": recount, "remove expired clients": Store.sweep}
    found = {name: round(measured(store, partial(run, url, job), 1), 1) for name, job in jobs.items()}
    times = {"delete a client": 1}
    return found | {name: round(measured(store, call, times.get(name, CALLS)), 1) for name, call in calls.items()}


def recount(store: Store) -> Awaitable[Any]:
    """Compare the number of clients in the list with the number of those that are counted."""
    return store.tenant_data.recount(OPEN_TENANT)


def run(url: str, job: Callable[[Store], Awaitable[Any]]) -> None:
    """Run a job of the store, as an API process does once a minute."""

    async def opened() -> None:
        store = Store(url, timeout_s=60, state_ttl_s=1000)
        try:
            await job(store)
        finally:
            await store.close()

    asyncio.run(opened())


def measured(store: redis.Redis, call: Call, times: int) -> float:
    """Microseconds of Redis for a call."""
    before = spent(store)
    for _ in range(times):
        answer = call()
        if isinstance(answer, httpx.Response):
            answer.raise_for_status()
    return (spent(store) - before) / times


def spent(store: redis.Redis) -> float:
    """Microseconds of Redis so far in commands of others."""
    stats: dict[str, Any] = store.info("commandstats")
    return float(sum(each["usec"] for name, each in stats.items() if name != "cmdstat_info"))


if __name__ == "__main__":
    main()
