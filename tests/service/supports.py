"""Versions for the tests of the store. All parts of a version show the same number."""

import secrets
from datetime import UTC, datetime, timedelta

import numpy as np

from service.arrays import SupportSet
from service.store.records import ClientKey, Draft, Record, StateKey

CHECKPOINT = "0123456789abcdef"
ALICE = ClientKey("acme", "alice")


def draft(number: int = 1, ttl_s: int | None = None) -> Draft:
    """A version of `number` examples, with targets and a state of `number`."""
    support = SupportSet(np.zeros((number, 2), np.float32), np.full(number, number), ways=2)
    state = {"w": np.array([number])}
    expires_at = None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)
    return Draft(secrets.token_hex(8), "glyphs", CHECKPOINT, ["a", str(number)], support, state, expires_at)


def numbers(record: Record, support: SupportSet) -> set[int]:
    """All numbers of a record and a support set: one number if they are of one version."""
    return {record.examples, len(support.targets), *support.targets.tolist(), int(record.classes[1])}


def key_of(client: ClientKey, record: Record) -> StateKey:
    return StateKey(client, record.write, CHECKPOINT)
