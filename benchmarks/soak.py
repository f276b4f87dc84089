"""Mixed load for a long time, with restarts: python -m benchmarks.soak --minutes 120

Predicts for random ones of many clients in Redis, and adapts, at random moments. From time to time the worker or an API
process is killed. Writes the memory of each process and the latencies of each slice into docs/performance.json as they
come.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import psutil
import redis

from benchmarks.driving import console, figures, handful, send
from benchmarks.load import ANY_CLIENT, Load
from benchmarks.peers.network import PROTONET
from benchmarks.results import keep
from benchmarks.services import SERVICES, Running, adapt_body, predict_body
from benchmarks.stored import AT_ONCE, FIRST, adapt_first, copy

SERVICE = SERVICES["handful"]
SLICE_S, RESTART_SLICES = 30.0, 4
"""Seconds of a slice; slices from one kill to the next."""
RATES = {"predict": 40.0, "adapt": 4.0}
ADAPTING = 8
"""Clients that adapt."""

Row = dict[str, float | str]


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=200_000)
    given = parser.parse_args()
    rows: list[Row] = []
    with handful() as (one, redis_url), redis.Redis.from_url(redis_url) as store:
        first = adapt_first(one, store)
        for start in range(0, given.clients, AT_ONCE):
            copy(store, first, range(start, min(start + AT_ONCE, given.clients)))
        console.print(f"{given.clients} clients are stored")
        victims = cycle(("worker", "api"))
        end = time.monotonic() + 60 * given.minutes
        while time.monotonic() < end:
            killed = kill(one, next(victims)) if rows and len(rows) % RESTART_SLICES == 0 else ""
            rows.append(slice_of(one, store, given.clients) | {"killed": killed})
            console.print(rows[-1])
            keep(soak={"minutes": given.minutes, "clients": given.clients, "slices": rows})


def slice_of(one: Running, store: redis.Redis, clients: int) -> Row:
    """The latencies of a slice, and the memory at its end in MB."""
    body = predict_body(SERVICE, PROTONET, 0, 1).replace(FIRST.client_id.encode(), ANY_CLIENT)
    adapts = [adapt_body(SERVICE, PROTONET, client, 1) for client in range(1, ADAPTING + 1)]
    loads = [
        Load(one.port, "/predict", SERVICE.content_type, [body] * 4, SLICE_S, rate=RATES["predict"], among=clients),
        Load(one.port, "/adapt", SERVICE.content_type, adapts, SLICE_S, rate=RATES["adapt"]),
    ]
    with ThreadPoolExecutor(len(loads)) as threads:
        outcomes = list(threads.map(send, loads))
    row: Row = {}
    for call, found in zip(RATES, map(figures, outcomes), strict=True):
        row |= {f"{call}_{name}": round(found[name], 1) for name in ("p50_ms", "p99_ms", "failures")}
    return row | memory(one, store)


def memory(one: Running, store: redis.Redis) -> Row:
    """MB of the API with its decoders, of the workers, and of Redis."""
    apis = processes(one, "api")
    family = {each for api in apis for each in (api, *api.children(recursive=True))}
    rest = set(one.process.children(recursive=True)) - family
    used = store.info("memory")["used_memory"]
    return {"api_mb": resident(family), "worker_mb": resident(rest), "redis_mb": round(used / 2**20, 1)}


def resident(some: set[psutil.Process]) -> float:
    """Their memory that is not shared, in MB."""
    return round(float(sum(each.memory_full_info().uss for each in some if each.is_running())) / 2**20, 1)


def processes(one: Running, what: str) -> list[psutil.Process]:
    """The API processes, or the workers."""
    direct = one.process.children()
    if what == "api":
        return [each for each in direct if "multiprocessing.spawn" in " ".join(each.cmdline())]
    return [child for each in direct if "forkserver" in " ".join(each.cmdline()) for child in each.children()]


def kill(one: Running, what: str) -> str:
    """Kill a process. The supervisor starts another one."""
    for each in processes(one, what)[:1]:
        each.kill()
    return what


if __name__ == "__main__":
    main()
