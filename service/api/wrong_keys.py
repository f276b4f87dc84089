"""Slows down addresses that send unknown API keys."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from service.errors import TooManyWrongKeys

PAUSE_S = 2.0
"""Seconds after which an address may send another unknown key."""
MOST = 10_000
"""Addresses that are remembered; the least recent are dropped first."""


class WrongKeys:
    """Counts unknown keys by address. Known keys are never counted, from whatever address.

    Args:
        burst: Unknown keys that an address may send at once.
        clock: Tells the time in seconds.
    """

    def __init__(self, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._clock = burst, clock
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def count(self, address: str) -> None:
        """Count an unknown key. Raises TooManyWrongKeys."""
        name, now = _network(address), self._clock()
        free_at = max(now, self._free_at.pop(name, now))
        over_s = free_at + PAUSE_S - now - self._burst * PAUSE_S
        self._free_at[name] = free_at if over_s > 0 else free_at + PAUSE_S
        if len(self._free_at) > MOST:
            self._free_at.popitem(last=False)
        if over_s > 0:
            raise TooManyWrongKeys(
                f"This address has sent too many unknown API keys: at most {self._burst} at once, then one every "
                f"{PAUSE_S:g} s (HANDFUL_WRONG_KEYS). Known keys are still accepted from it.",
                retry_after_s=math.ceil(over_s),
            )


def _network(address: str) -> str:
    """The address; for IPv6 its network of 64 bits, all of which one machine may use."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
