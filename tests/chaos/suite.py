"""Cause one fault after another under a steady load. After each, the service must recover and no client may be lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import Fault
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.parts import Parts, parts
from tests.chaos.tally import Tally
from tests.chaos.truth import Teacher

MODELS = ("glyphs-protonet", "glyphs-maml")
BUSY, QUIET = 2, 5
"""Clients of each model: those that adapt repeatedly, and those that adapt once and must be kept."""
LULL_S = 1.0
"""Seconds of undisturbed load before each fault."""
WHOLE_S = 240
"""Maximum seconds of recovery before the run is stopped."""


class Outcome(NamedTuple):
    """The outcome of a fault, in seconds: the time from the end of the fault to the recovery, and the longest time
    without an answered adapt and without an answered predict."""

    fault: Fault
    whole_s: float
    adapt_outage_s: float
    predict_outage_s: float
    note: str


class Clients(NamedTuple):
    """All clients. `probe` tests the recovery. `staying` adapt until a fault, `busy` also during it, `quiet` once."""

    probe: Ledger
    staying: list[Ledger]
    busy: list[Ledger]
    quiet: list[Ledger]

    def all(self) -> list[Ledger]:
        """All clients."""
        return [self.probe, *self.staying, *self.busy, *self.quiet]


class Suite:
    """Runs faults against the parts, under load."""

    def __init__(self, running: Parts, clients: Clients, hold_s: float) -> None:
        self._parts, self._clients, self._hold_s = running, clients, hold_s
        self.load = Load(running.url)
        self._calm = asyncio.Event()

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator["Suite"]:
        """Run the load."""
        for ledger in self._clients.all():
            assert await self.load.teach(ledger), f"{ledger.client_id} could not adapt before the first fault"
        always = asyncio.Event()
        always.set()
        self._calm.set()
        loads = [self.load.keep_teaching(one, self._calm) for one in self._clients.staying]
        loads += [self.load.keep_teaching(one, always) for one in self._clients.busy]
        loads += [self.load.keep_asking(one) for one in (*self._clients.staying, *self._clients.busy)]
        tasks = [asyncio.create_task(load) for load in loads]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            failed = [one for one in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(one, Exception)]
            await self.load.close()
            if failed:
                raise failed[0]

    async def suffer(self, fault: Fault) -> Outcome:
        """Cause a fault, wait for the recovery, and check all clients."""
        tally = self.load.tally
        self._calm.set()
        await asyncio.sleep(LULL_S)
        began, tally.during, tally.note, tally.may_break = time.monotonic(), fault.name, "", fault.breaks
        async with fault.strike(self._parts, self.load):
            self._calm.clear()
            if not fault.brief:
                await asyncio.sleep(self._hold_s)
        mended = time.monotonic()
        whole = await self._until_whole()
        tally.may_break = False
        await self._check_everybody()
        outages = [tally.longest_outage(call, began, time.monotonic()) for call in ("adapt", "predict")]
        return Outcome(fault, whole - mended, *outages, tally.note)

    async def _until_whole(self) -> float:
        """The time at which the service was ready and had adapted and answered a client."""
        try:
            async with asyncio.timeout(WHOLE_S):
                while not await self._whole():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"The service has not recovered after {WHOLE_S} s: {self.load.tally}") from None
        return time.monotonic()

    async def _whole(self) -> bool:
        probe = self._clients.probe
        return await self.load.ready() and await self.load.teach(probe) and await self.load.ask(probe)

    async def _check_everybody(self) -> None:
        for ledger in self._clients.all():
            for asked in (self.load.look_at, self.load.ask):
                if not await asked(ledger):
                    self.load.tally.violated(f"{ledger.client_id} was not answered after the recovery")


def clients_of(models: Path) -> Clients:
    """The clients, each with its own lessons."""
    teachers = [Teacher(models, model) for model in MODELS]

    def some(kind: str, count: int, seed: int) -> list[Ledger]:
        return [
            Ledger(f"{kind}-{teacher.model}-{i}", teacher.model, teacher.lessons(seed + i))
            for teacher in teachers
            for i in range(count)
        ]

    return Clients(
        some("probe", 1, 0)[0], some("staying", BUSY, 100), some("busy", BUSY, 200), some("quiet", QUIET, 300)
    )


async def run(
    faults: Sequence[Fault],
    models: Path,
    folder: Path,
    volume: Path,
    hold_s: float,
    progress: Callable[[Outcome], None] = lambda _: None,
    start: Callable[..., AbstractAsyncContextManager[Parts]] = parts,
    **settings: str,
) -> tuple[Tally, list[Outcome]]:
    """Cause all faults, one after another. `start` runs the parts: `handful serve` by default."""
    clients = clients_of(models)
    outcomes: list[Outcome] = []
    async with start(folder, volume, models=str(models), default_model=MODELS[0], **settings) as running:
        async with Suite(running, clients, hold_s).under_load() as suite:
            for fault in faults:
                outcomes.append(await suite.suffer(fault))
                progress(outcomes[-1])
        return suite.load.tally, outcomes
