"""What is done to the parts. Each fault is a context: it strikes when it is entered, and is mended when it is left."""

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import NamedTuple

import psutil

from tests.chaos import damage, hostile, scarcity
from tests.chaos.load import Load
from tests.chaos.parts import Parts
from tests.chaos.relay import Relay

DELAY_S = 0.05
"""Of every 16 kB on a slow network: 320 kB a second."""

Strike = Callable[[Parts, Load], AbstractAsyncContextManager[None]]


LIMIT_S, START_S = 10.0, 30.0
"""In which the service must be whole again; and where a worker has to start from nothing, which imports torch and warms
up all models, here on a core that it shares with all else."""


class Fault(NamedTuple):
    """`breaks`: connections may break, since what accepts them is down. `brief`: it has struck when it is entered, and
    needs no holding. `limit_s`: in which the service must be whole again."""

    name: str
    strike: Strike
    breaks: bool = False
    brief: bool = False
    limit_s: float = LIMIT_S


Victims = Callable[[Parts], Iterable[psutil.Process]]


def _killing(victims: Victims) -> Strike:
    """SIGKILL; what keeps the parts starts them again."""

    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        _signal(victims(parts), signal.SIGKILL)
        yield

    return strike


def _pausing(victims: Victims) -> Strike:
    """SIGSTOP, and SIGCONT afterwards."""

    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        chosen = list(victims(parts))
        _signal(chosen, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(chosen, signal.SIGCONT)

    return strike


def _network(relays: Callable[[Parts], Iterable[Relay]], fail: Callable[[Relay], None]) -> Strike:
    @asynccontextmanager
    async def strike(parts: Parts, _: Load) -> AsyncIterator[None]:
        chosen = list(relays(parts))
        for relay in chosen:
            fail(relay)
        try:
            yield
        finally:
            for relay in chosen:
                relay.mend()

    return strike


def _signal(victims: Iterable[psutil.Process], which: signal.Signals) -> None:
    for victim in list(victims):
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(which)


def _slow(relay: Relay) -> None:
    relay.delay_s = DELAY_S


def _worker(parts: Parts) -> list[psutil.Process]:
    return parts.worker.family()


def _working(parts: Parts) -> list[psutil.Process]:
    return [parts.working()]


def _redis(parts: Parts) -> list[psutil.Process]:
    return parts.redis.family()


def _serve(parts: Parts) -> list[psutil.Process]:
    return parts.serve.family()[:1]


def _all(parts: Parts) -> list[psutil.Process]:
    return [*_redis(parts), *_worker(parts), *parts.serve.family()]


FULL_VOLUME = Fault("Redis volume full", scarcity.full_volume)
FAULTS = [
    Fault("worker killed", _killing(_working), brief=True),
    Fault("worker and its parent killed", _killing(_worker), brief=True, limit_s=START_S),
    Fault("API killed", _killing(Parts.apis), breaks=True, brief=True),
    Fault("supervisor killed", _killing(_serve), breaks=True, brief=True),
    Fault("Redis killed", _killing(_redis), brief=True),
    Fault("all killed at once", _killing(_all), breaks=True, brief=True, limit_s=START_S),
    Fault("worker paused", _pausing(_worker)),
    Fault("API paused", _pausing(Parts.apis), breaks=True),
    Fault("Redis paused", _pausing(_redis)),
    Fault("network to Redis cut", _network(lambda parts: [parts.to_redis], Relay.cut)),
    Fault("network to worker cut", _network(lambda parts: [parts.to_worker], Relay.cut)),
    Fault("network to Redis silent", _network(lambda parts: [parts.to_redis], Relay.fall_silent)),
    Fault("network to worker silent", _network(lambda parts: [parts.to_worker], Relay.fall_silent)),
    Fault("network slow", _network(lambda parts: [parts.to_redis, parts.to_worker], _slow)),
    FULL_VOLUME,
    Fault("worker out of memory", scarcity.no_memory),
    Fault("states damaged and worker killed", damage.states, brief=True),
    Fault("garbage", hostile.striking(hostile.garbage)),
    Fault("half bodies", hostile.striking(hostile.half_bodies)),
    Fault("slow requests", hostile.striking(hostile.slow_requests)),
    Fault("10 000 connections", hostile.crowd),
]
