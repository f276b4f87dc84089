"""Measure what requests cost, and how one and two replicas do here: python -m benchmarks.scale.measure

Drawings as JSON, the prototypical network, 5-way 1-shot, one query. Writes `scale` into docs/performance.json, part by
part.
"""

import argparse
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np
import psutil
import redis

from benchmarks.driving import Figures, Stage, console, figures, send, stage
from benchmarks.load import Load, Outcome
from benchmarks.peers.network import PROTONET
from benchmarks.results import keep, read
from benchmarks.scale.costs import API_TURNS, WAKES, Costs
from benchmarks.services import SERVICES, Running, adapt_body, predict_body, running
from benchmarks.serving import Scene, first_answers, load_of
from service.api.auth import OPEN_TENANT
from service.store.keys import record_key, state_key
from service.store.records import ClientKey

SERVICE = SERVICES["handful"]
CLIENTS = 16
REPLICAS = (1, 2)
QUANTILES = 100
PREDICT, ADAPT = (Scene(call, PROTONET, 1, CLIENTS) for call in ("predict", "adapt"))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="Seconds of each measurement.")
    given = parser.parse_args()
    with stage() as on_stage:
        costs = measured(on_stage, given.seconds)
        console.print(costs)
        keep(scale=read().get("scale", {}) | {"costs": costs._asdict()})
        for replicas in REPLICAS:
            found = checked(on_stage, replicas, given.seconds)
            console.print(f"{replicas} replicas: {found}")
            checks = read()["scale"].get("measured", {}) | {str(replicas): found}
            keep(scale=read()["scale"] | {"measured": checks})


def measured(given: Stage, seconds: float) -> Costs:
    """All costs."""
    with redis.Redis.from_url(given.redis_url) as store:
        with running(SERVICE, *given) as one:
            first_answers(SERVICE, one)
            state_bytes, client_bytes = memory(store, ClientKey(OPEN_TENANT, f"{PROTONET}-0"))
            predict, adapt = (spent(one, store, load_of(SERVICE, one, each, seconds)) for each in (PREDICT, ADAPT))
            lone = [load_of(SERVICE, one, each._replace(clients=1), seconds) for each in (PREDICT, ADAPT)]
            alone = [spent(one, store, each) for each in lone]
            waits = send(lone[0]).milliseconds
        with running(SERVICE, *given, STATE_CACHE_BYTES="0") as one:
            miss = spent(one, store, load_of(SERVICE, one, PREDICT, seconds))
    (predict_batch, predict_job), (adapt_batch, adapt_job) = (
        fixed_and_job(*each, "worker") for each in zip(alone, (predict, adapt), strict=True)
    )
    turns, predict_api = fixed_and_job(alone[0], predict, "api")
    return Costs(
        predict_api_s=predict_api,
        predict_redis_s=predict["redis"],
        predict_worker_s=predict_job,
        predict_batch_s=predict_batch,
        miss_api_s=max(miss["api"] - predict["api"], 0),
        miss_redis_s=max(miss["redis"] - predict["redis"], 0),
        miss_worker_s=max(miss["worker"] - predict["worker"], 0),
        adapt_api_s=max(alone[1]["api"] - turns, 0),
        adapt_redis_s=adapt["redis"],
        adapt_worker_s=adapt_job,
        adapt_batch_s=adapt_batch,
        api_turn_s=turns / API_TURNS,
        delays_s=delays(alone[0], waits),
        client_s=predict["client"],
        predict_bytes=len(predict_body(SERVICE, PROTONET, 0, 1)),
        adapt_bytes=len(adapt_body(SERVICE, PROTONET, 0, 1)),
        state_bytes=state_bytes,
        client_bytes=client_bytes,
    )


def memory(store: redis.Redis, client: ClientKey) -> tuple[float, float]:
    """The bytes of the state of a client in Redis, and of the rest of it."""
    state = store.memory_usage(state_key(client)) or 0
    keys = store.keys(record_key(client).removesuffix("record") + "*")
    return state, sum(store.memory_usage(key) or 0 for key in keys) - state


def fixed_and_job(alone: Mapping[str, float], together: Mapping[str, float], process: str) -> tuple[float, float]:
    """Seconds of a process for each turn and for each request in it, from a load of one client and a load of many.

    The event loop of the API has as many requests in a turn as the worker has in a batch: they come and go together.
    """
    fixed = (alone[process] - together[process]) / max(1 - 1 / together["batch"], 0.01)
    fixed = min(max(fixed, 0), alone[process])
    return fixed, alone[process] - fixed


def delays(alone: Mapping[str, float], milliseconds: Sequence[float]) -> list[float]:
    """Quantiles of the seconds until a woken process runs: what a lone request takes beyond its processor time."""
    own = sum(alone[name] for name in ("api", "worker", "redis", "client"))
    waited = np.clip(np.array(milliseconds) / 1000 - own, 0, None) / WAKES
    return [round(float(each), 7) for each in np.quantile(waited, (np.arange(QUANTILES) + 0.5) / QUANTILES)]


def spent(one: Running, store: redis.Redis, load: Load) -> dict[str, float]:
    """Seconds of processor time of a request, by process, and the mean number of jobs in a batch."""
    one.settle()
    idle = client_s(Load(load.port, load.path, load.content_type, load.bodies, 0.0))[1]
    before, batches = times(one, store), batched(one, load.path)
    outcome, client = client_s(load)
    after, more = times(one, store), batched(one, load.path)
    found = {name: (after[name] - before[name]) / outcome.answered for name in after}
    jobs, count = (late - early for late, early in zip(more, batches, strict=True))
    return found | {"client": max(client - idle, 0) / outcome.answered, "batch": jobs / max(count, 1)}


def batched(one: Running, path: str) -> tuple[float, float]:
    """The jobs that ran in batches so far, and the batches."""
    lines = httpx.get(f"http://127.0.0.1:{one.port}/metrics").raise_for_status().text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    queue = f'{{queue="{path[1:]}"}}'
    return float(values.get(f"handful_batch_size_sum{queue}", 0)), float(
        values.get(f"handful_batch_size_count{queue}", 0)
    )


def client_s(load: Load) -> tuple[Outcome, float]:
    """Send a load, and the processor time of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = send(load)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return outcome, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def times(one: Running, store: redis.Redis) -> dict[str, float]:
    """Processor time so far of the API with its decoders, of the worker, and of Redis."""
    apis = [each for each in one.process.children() if "multiprocessing.spawn" in " ".join(each.cmdline())]
    api = [process for each in apis for process in (each, *each.children(recursive=True))]
    others = set(one.process.children(recursive=True)) - set(api)
    used: Any = store.info("cpu")
    return {"api": total(api), "worker": total(others), "redis": used["used_cpu_user"] + used["used_cpu_sys"]}


def total(processes: Any) -> float:
    """Their processor time."""
    found: list[psutil.Process] = list(processes)
    return sum(sum(each.cpu_times()[:2]) for each in found)


def checked(given: Stage, replicas: int, seconds: float) -> dict[str, dict[str, Figures]]:
    """What `replicas` on this machine do in a closed loop, and at half of that rate at random moments."""
    with running(SERVICE, *given, REPLICAS=str(replicas)) as one:
        first_answers(SERVICE, one)
        found = {}
        for scene in (PREDICT, ADAPT):
            load = load_of(SERVICE, one, scene, seconds)
            send(load)  # fills the caches
            one.settle()
            closed = figures(send(load))
            load.rate = closed["rate"] / 2
            one.settle()
            half = figures(send(load))
            one.settle()
            alone = figures(send(load_of(SERVICE, one, scene._replace(clients=1), seconds)))
            found[scene.call] = {"alone": alone, "closed": closed, "half": half}
    return found


if __name__ == "__main__":
    main()
