"""The faults. Each is a context manager: entering it causes the fault, leaving it ends the fault."""

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from operator import methodcaller
from typing import NamedTuple

import psutil

from tests.chaos import damage, hostile, scarcity
from tests.chaos.load import Load
from tests.chaos.parts import Parts
from tests.chaos.relay import Relay

DELAY_S = 0.05
"""Delay of every 16 kB on a slow network: 320 kB per second."""

Strike = Callable[[Parts, Load], AbstractAsyncContextManager[None]]


LIMIT_S, START_S = 10.0, 30.0
"""Limits of recovery: in general, and if torch is imported again on a shared core."""


class Fault(NamedTuple):
    """A fault. `breaks`: connections may break, because the process that accepts them is down. `brief`: it has no
    duration. `limit_s`: maximum seconds of recovery."""

    name: str
    strike: Strike
    breaks: bool = False
    brief: bool = False
    limit_s: float = LIMIT_S


Victims = Callable[[Parts], Iterable[psutil.Process]]


def _killing(victims: Victims) -> Strike:
    """Send SIGKILL. The parts are restarted."""

    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        _signal(victims(parts), signal.SIGKILL)
        yield

    return strike


def _pausing(victims: Victims) -> Strike:
    """Send SIGSTOP, and SIGCONT at the end."""

    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        chosen = list(victims(parts))
        _signal(chosen, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(chosen, signal.SIGCONT)

    return strike


def _network(fail: Callable[[Relay], None]) -> Strike:
    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        fail(parts.to_redis)
        try:
            yield
        finally:
            parts.to_redis.mend()

    return strike


def _signal(victims: Iterable[psutil.Process], which: signal.Signals) -> None:
    for victim in list(victims):
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(which)


def _slow(relay: Relay) -> None:
    relay.delay_s = DELAY_S


def _redis(parts: Parts) -> list[psutil.Process]:
    return parts.redis.family()


def _workers_and_forkserver(parts: Parts) -> list[psutil.Process]:
    return [*parts.workers(), *parts.forkservers()]


def _all(parts: Parts) -> list[psutil.Process]:
    return [*_redis(parts), *parts.serve.family()]


FULL_VOLUME = Fault("Redis volume full", scarcity.full_volume)
FAULTS = [
    Fault("one worker killed", _killing(lambda parts: parts.workers()[:1]), brief=True),
    Fault("all workers killed", _killing(methodcaller("workers")), brief=True),
    Fault("workers and forkserver killed", _killing(_workers_and_forkserver), brief=True, limit_s=START_S),
    Fault("one API killed", _killing(lambda parts: parts.apis()[:1]), breaks=True, brief=True),
    Fault("API killed", _killing(methodcaller("apis")), breaks=True, brief=True),
    Fault("supervisor killed", _killing(methodcaller("supervisor")), breaks=True, brief=True, limit_s=START_S),
    Fault("Redis killed", _killing(_redis), brief=True),
    Fault("all killed at once", _killing(_all), breaks=True, brief=True, limit_s=START_S),
    Fault("workers paused", _pausing(methodcaller("workers"))),
    Fault("API paused", _pausing(methodcaller("apis")), breaks=True),
    Fault("Redis paused", _pausing(_redis)),
    Fault("network to Redis cut", _network(Relay.cut)),
    Fault("network to Redis silent", _network(Relay.fall_silent)),
    Fault("network slow", _network(_slow)),
    FULL_VOLUME,
    Fault("worker out of memory", scarcity.no_memory),
    Fault("states damaged and worker killed", damage.states, brief=True),
    Fault("garbage", hostile.striking(hostile.garbage)),
    Fault("half bodies", hostile.striking(hostile.half_bodies)),
    Fault("slow requests", hostile.striking(hostile.slow_requests)),
    Fault("endless heads", hostile.striking(hostile.endless_heads)),
    Fault("costly images", hostile.striking(hostile.costly_images)),
    Fault("10 000 connections", hostile.crowd),
]

NOT_ON_RAY = {
    "workers and forkserver killed", "all killed at once", "API paused", "garbage", "half bodies", "slow requests",
    "endless heads", "costly images", "10 000 connections",
}  # fmt: skip
"""Ray's proxies answer hostile requests. Ray has one forkserver for each worker, and one node has no other to go to."""
RAY_LIMIT_S = 120.0
"""Limit of recovery on Ray, which starts replicas again without a forkserver."""


def on_ray() -> list[Fault]:
    """The faults that are caused on Ray too. An API is a replica there, and the supervisor is the controller."""
    return [fault._replace(limit_s=RAY_LIMIT_S) for fault in FAULTS if fault.name not in NOT_ON_RAY]
