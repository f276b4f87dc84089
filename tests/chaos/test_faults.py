"""A fault strikes the parts that run, whatever starts them."""

import signal

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.parts import Parts

pytestmark = pytest.mark.anyio
KILLED = {"all workers killed": "workers", "API killed": "apis", "supervisor killed": "supervisor"}


class Victim:
    """A process that notes its signals."""

    def __init__(self) -> None:
        self.signals: list[signal.Signals] = []

    def send_signal(self, which: signal.Signals) -> None:
        self.signals.append(which)


@pytest.mark.parametrize("name", KILLED)
async def test_a_fault_kills_the_processes_that_the_parts_name(name):
    victim = Victim()
    other = type("Other", (Parts,), {KILLED[name]: lambda _: [victim]})
    [fault] = [each for each in FAULTS if each.name == name]
    async with fault.strike(other.__new__(other), None):
        assert victim.signals == [signal.SIGKILL]
