"""A queue that serves tenants fairly, and the clients of each tenant fairly."""

import heapq
import itertools
from collections.abc import Callable, Collection, Hashable
from typing import Generic, NamedTuple, TypeVar

from service.engine.base import Share

Item = TypeVar("Item")
REMEMBERED_CLIENTS = 1024
"""Above this number, a busy tenant forgets clients that have used no more than their share."""


class Entry(NamedTuple, Generic[Item]):
    """An item and its place in the queue of its tenant: entries are served in the order of `start`."""

    start: float
    number: int
    cost: float
    item: Item


class FairQueue(Generic[Item]):
    """Items of tenants and clients, in the order of start-time fair queueing (Goyal, Vin and Cheng 1996).

    The least served tenant is next, and of its clients the least served one. Costs are in seconds. A tenant or a client
    that returns after a pause starts level with the others. Items for which `gone` is true are dropped.
    """

    def __init__(self, gone: Callable[[Item], bool]) -> None:
        self._gone = gone
        self._tenants: dict[str, _Tenant[Item]] = {}
        self._served = 0.0
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return sum(len(heap) for tenant in self._tenants.values() for heap in tenant.groups.values())

    def push(self, item: Item, share: Share, group: Hashable, cost: float) -> None:
        """Add an item. `pop` can take the items of one `group` only."""
        tenant, client = share
        if tenant not in self._tenants:
            self._tenants[tenant] = _Tenant(self._served)
        self._tenants[tenant].push(item, client, group, next(self._numbers), cost)

    def pop(
        self,
        group: Hashable | None = None,
        *,
        fits: Callable[[Item], bool] = lambda item: True,
        without: Collection[str] = (),
    ) -> Item | None:
        """Take the next item.

        Args:
            group: Take an item of this group; None: of any group.
            fits: Take nothing if the next item does not fit.
            without: Take no item of these tenants.
        """
        while (found := self._first(group, without)) is not None:
            tenant, entry = found
            if self._gone(entry.item):
                tenant.remove(entry)
            elif fits(entry.item):
                self._served = max(self._served, tenant.served)
                tenant.remove(entry)
                tenant.charge(entry)
                return entry.item
            else:
                return None
        return None

    def drop_gone(self) -> None:
        """Drop all items for which `gone` is true."""
        for tenant in self._tenants.values():
            tenant.drop(self._gone)

    def drain(self) -> list[Item]:
        """Take all items."""
        items = [entry.item for tenant in self._tenants.values() for heap in tenant.groups.values() for entry in heap]
        self._tenants.clear()
        return items

    def _first(self, group: Hashable | None, without: Collection[str]) -> "tuple[_Tenant[Item], Entry[Item]] | None":
        """The next tenant and its first entry."""
        self._tenants = {name: tenant for name, tenant in self._tenants.items() if tenant.groups}
        tenants = [tenant for name, tenant in self._tenants.items() if name not in without]
        heads = [(tenant.served, entry.number, tenant, entry) for tenant in tenants if (entry := tenant.head(group))]
        return min(heads)[2:] if heads else None


class _Tenant(Generic[Item]):
    """The items of one tenant: a heap for each group."""

    def __init__(self, served: float) -> None:
        self.served = served
        self.groups: dict[Hashable, list[Entry[Item]]] = {}
        self._clock = 0.0
        self._ends: dict[str, float] = {}

    def push(self, item: Item, client: str, group: Hashable, number: int, cost: float) -> None:
        start = max(self._clock, self._ends.get(client, 0.0))
        self._ends[client] = start + cost
        heapq.heappush(self.groups.setdefault(group, []), Entry(start, number, cost, item))
        if len(self._ends) > REMEMBERED_CLIENTS:
            self._ends = {name: end for name, end in self._ends.items() if end > self._clock}

    def head(self, group: Hashable | None) -> "Entry[Item] | None":
        heaps = self.groups.values() if group is None else [self.groups.get(group, [])]
        return min((heap[0] for heap in heaps if heap), default=None)

    def remove(self, head: "Entry[Item]") -> None:
        """Remove the first entry of its group."""
        group = next(name for name, heap in self.groups.items() if heap[0] is head)
        heapq.heappop(self.groups[group])
        if not self.groups[group]:
            del self.groups[group]

    def charge(self, entry: "Entry[Item]") -> None:
        """Count an entry as served."""
        self._clock = max(self._clock, entry.start)
        self.served += entry.cost

    def drop(self, gone: Callable[[Item], bool]) -> None:
        """Remove all entries for whose items `gone` is true."""
        left = {name: [entry for entry in heap if not gone(entry.item)] for name, heap in self.groups.items()}
        self.groups = {name: heap for name, heap in left.items() if heap}
        for heap in self.groups.values():
            heapq.heapify(heap)
