"""A fault strikes the parts that run, whatever starts them."""

import signal
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from tests.chaos.faults import FAULTS

pytestmark = pytest.mark.anyio
KILLED = {"all workers killed": "workers", "API killed": "apis", "supervisor killed": "supervisor"}


@pytest.mark.parametrize("name", KILLED)
async def test_a_fault_kills_the_processes_that_the_parts_name(name):
    victim = Mock()
    [fault] = [each for each in FAULTS if each.name == name]
    async with fault.strike(SimpleNamespace(**{KILLED[name]: lambda: [victim]}), None):
        victim.send_signal.assert_called_once_with(signal.SIGKILL)
