"""Redis under load: slots of a Cluster move to another node, and masters change, with notice and without."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from service.api.auth import OPEN_TENANT
from service.store.records import ClientKey
from tests.chaos.faults import Fault, Strike
from tests.chaos.ledger import Ledger
from tests.chaos.suite import MODELS, Clients, Outcome, Suite
from tests.chaos.tally import Tally
from tests.chaos.test_chaos import small_zoo
from tests.chaos.truth import Teacher
from tests.e2e.server import Server
from tests.service.redises import (
    SLOTS,
    Node,
    cluster,
    move_slots,
    node,
    port_of,
    sentinel,
    slot_of,
    until,
    url_of_cluster,
    url_of_sentinel,
    with_replica,
)

NODES = 3
FIRST = 0
"""The node that has all clients at first."""
TWO = {"min-replicas-to-write": 1, "repl-diskless-sync-delay": 0}
"""A master without a replica takes no writes: it may be one that the Sentinels have replaced, and does not know yet."""


def clients_of(models: Path) -> Clients:
    """Clients in slots of the first node."""
    teacher = Teacher(models, MODELS[0])
    ids = (one for n in count() if slot_of(ClientKey(OPEN_TENANT, one := f"client-{n}")) * NODES // SLOTS == FIRST)
    probe, *rest = [Ledger(next(ids), MODELS[0], teacher.lessons(n)) for n in range(9)]
    return Clients(probe, rest[:2], rest[2:5], rest[5:])


def hand_over(replica: Node) -> None:
    with Redis(port=port_of(replica)) as client:
        client.execute_command("CLUSTER FAILOVER")
        until(lambda: client.info("replication")["role"] == "master")


def fault(name: str, work: Callable[..., None], *given: Any) -> Fault:
    """A fault that is over when the work is done."""

    @asynccontextmanager
    async def strike(*_: object) -> AsyncIterator[None]:
        await asyncio.to_thread(work, *given)
        yield

    disturbance: Strike = strike
    return Fault(name, disturbance, brief=True)


async def suffer(url: str, clients: Clients, faults: list[Fault]) -> tuple[Tally, list[Outcome]]:
    async with Suite(SimpleNamespace(url=url), clients, hold_s=0).under_load() as suite:
        return suite.load.tally, [await suite.suffer(one) for one in faults]


def test_slots_move_and_masters_change_under_load_and_nothing_is_lost(tmp_path, capsys):
    models = small_zoo(tmp_path / "zoo")
    clients = clients_of(models)
    with cluster() as nodes, with_replica(nodes) as replica:
        server = Server(tmp_path / "data", models=str(models), default_model=MODELS[0], redis_url=url_of_cluster(nodes))
        first, second, third = nodes
        moving = {slot_of(ClientKey(OPEN_TENANT, one.client_id)) for one in (*clients.staying, *clients.busy[:1])}
        faults = [
            fault("slots move", move_slots, moving, first, second, [third]),
            fault("slots move back", move_slots, moving, second, first, [third]),
            fault("a master hands over", hand_over, replica),
            fault("a master hands over back", hand_over, first),
            fault("a master is killed", first.terminate),
        ]
        try:
            server.start()
            tally, outcomes = asyncio.run(suffer(server.url, clients, faults))
        finally:
            server.stop()
    report(capsys, tally, outcomes)


def test_sentinels_name_another_master_under_load_and_nothing_is_lost(tmp_path, capsys):
    models = small_zoo(tmp_path / "zoo")
    with (
        node(**TWO) as master,
        node(**TWO, replicaof=f"127.0.0.1 {port_of(master)}"),
        sentinel(master) as watching,
    ):
        url = url_of_sentinel(watching)
        server = Server(tmp_path / "data", models=str(models), default_model=MODELS[0], redis_url=url)
        try:
            server.start()
            faults = [fault("another master is named", name_another, watching, master)]
            tally, outcomes = asyncio.run(suffer(server.url, clients_of(models), faults))
        finally:
            server.stop()
        log = server.log()
    report(capsys, tally, outcomes, f"{log.count('NOREPLICAS')} NOREPLICAS, {log.count('ReadOnlyError')} READONLY")


def name_another(watching: Node, master: Node) -> None:
    """Let the Sentinel make the replica the master, and the master its replica."""
    with Redis(port=port_of(watching)) as sentinels, Redis(port=port_of(master)) as old:
        until(lambda: [one["master-link-status"] for one in sentinels.sentinel_slaves("main")] == ["ok"])
        until(lambda: sentinels.execute_command("SENTINEL FAILOVER", "main", "COORDINATED"))
        until(lambda: old.info("replication")["role"] == "slave")


def report(capsys: pytest.CaptureFixture[str], tally: Tally, outcomes: list[Outcome], more: str = "") -> None:
    with capsys.disabled():
        print(f"\n{tally.operations} operations, {dict(tally.answers)} {more}")
        for one in outcomes:
            print(
                f"{one.fault.name}: no adapt for {one.adapt_outage_s:.1f} s",
                f"and no predict for {one.predict_outage_s:.1f} s",
            )
    assert (tally.lost, tally.wrong, tally.violations) == ([], [], [])
