"""What Redis keeps of clients: whole versions, found again, apart from each other."""

import asyncio

import numpy as np
import pytest

from service.arrays import text_array
from service.errors import UnknownClient
from service.store.examples import form_of
from service.store.keys import examples_key, inputs_key, record_key, state_key, versions_key
from service.store.records import ClientKey
from service.store.store import VersionMoved
from tests.service.redises import EITHER
from tests.service.supports import ALICE, draft, examples_of, key_of, numbers

KEPT = record_key, versions_key, examples_key, inputs_key

pytestmark = [pytest.mark.anyio, EITHER]


async def test_a_commit_can_be_read(store):
    written = await store.commit(ALICE, draft(3))
    contents = await store.contents(ALICE)
    record, support = contents.record, contents.support()
    assert record == written == await store.record(ALICE)
    assert (record.client_id, record.model, record.version, record.examples) == ("alice", "glyphs", 1, 3)
    assert (support.inputs.shape, support.targets.tolist(), support.ways) == ((3, 2), [3, 3, 3], 2)
    assert await store.state(key_of(ALICE, record), record) == {"w": np.array([3])}


@pytest.mark.parametrize("classes", [["1", "2"], [1, 2], [-5, 2**53 - 1], ["ä", "東"], None])
async def test_classes_keep_their_types(store, classes):
    await store.commit(ALICE, draft()._replace(classes=classes))
    assert repr((await store.record(ALICE)).classes) == repr(classes)


async def test_inputs_that_are_texts_and_their_columns_can_be_read(store):
    rows, columns = ['{"city":"Köln"}', "", "東京"], [{"name": "city", "values": ["Köln"]}]
    made = draft(3)
    texts = text_array(rows)
    await store.commit(ALICE, made._replace(examples=examples_of(texts), form=form_of(texts), columns=columns))
    contents = await store.contents(ALICE)
    assert (contents.record.columns, contents.support().inputs.tolist()) == (columns, rows)
    assert contents.targets == made.targets


async def test_versions_count_and_the_first_date_stays(store):
    records = [await store.commit(ALICE, draft(number)) for number in (4, 5, 6)]
    assert [record.version for record in records] == [1, 2, 3]
    assert len({record.created_at for record in records}) == 1
    assert records[0].updated_at < records[2].updated_at


async def test_a_commit_replaces_the_state_of_the_version_before(store, redis):
    first, _ = await store.commit(ALICE, draft(1)), await store.commit(ALICE, draft(2))
    assert await store.state(key_of(ALICE, first), first) is None
    assert len(redis.keys()) == 8  # list, record, versions, examples, inputs, state; sizes and usage of the tenant


async def test_concurrent_commits_have_consecutive_versions(store):
    records = await asyncio.gather(*(store.commit(ALICE, draft(number)) for number in range(1, 21)))
    assert sorted(record.version for record in records) == list(range(1, 21))
    last = max(records, key=lambda record: record.version)
    assert await store.record(ALICE) == last


async def test_a_reader_never_sees_parts_of_two_versions(store):
    async def write(start: int) -> None:
        for number in range(start, 60, 3):
            await store.commit(ALICE, draft(number))

    async def read() -> None:
        while not writing.done():
            contents = await store.contents(ALICE)
            assert len(numbers(contents)) == 1
            record = contents.record
            state = await store.state(key_of(ALICE, record), record)
            assert state in (None, {"w": np.array([record.examples])})

    await store.commit(ALICE, draft(1))
    writing = asyncio.gather(*(write(start) for start in (2, 3, 4)))
    await asyncio.gather(writing, *(read() for _ in range(3)))


async def test_a_commit_after_an_old_version_is_refused(store):
    first = await store.commit(ALICE, draft(1))
    second = await store.commit(ALICE, draft(2), after=first)
    with pytest.raises(VersionMoved):
        await store.commit(ALICE, draft(3), after=first)
    assert await store.record(ALICE) == second


async def test_a_commit_after_a_deleted_version_is_refused(store, redis):
    first = await store.commit(ALICE, draft(1))
    await store.forget(ALICE)
    with pytest.raises(VersionMoved):
        await store.commit(ALICE, draft(2), after=first)
    await store.commit(ALICE, draft(3))
    with pytest.raises(VersionMoved):
        await store.commit(ALICE, draft(2), after=first)


async def test_a_delete_leaves_no_keys(store, redis):
    await store.commit(ALICE, draft(1)._replace(model="other", checkpoint="f" * 16))
    await store.commit(ALICE, draft(2))
    await store.forget(ALICE)
    assert redis.keys() == []
    for call in (store.record(ALICE), store.contents(ALICE), store.forget(ALICE)):
        with pytest.raises(UnknownClient):
            await call


async def test_a_client_that_is_adapted_after_a_delete_does_not_see_its_old_state(store):
    first = await store.commit(ALICE, draft(1))
    await store.forget(ALICE)
    again = await store.commit(ALICE, draft(2))
    assert (again.version, first.version) == (1, 1)
    assert await store.state(key_of(ALICE, first), first) is None


async def test_only_states_expire(store, redis):
    record = await store.commit(ALICE, draft())
    assert [redis.ttl(key(ALICE)) for key in KEPT] == [-1] * len(KEPT)
    assert 0 < redis.ttl(state_key(ALICE)) <= 1000
    assert record.expires_at is None


async def test_use_renews_the_expiry_of_a_state(store, redis):
    record = await store.commit(ALICE, draft())
    redis.expire(state_key(ALICE), 100)
    await store.state(key_of(ALICE, record), record)
    assert 100 < redis.ttl(state_key(ALICE)) <= 1000


async def test_a_rebuilt_state_is_stored(store, redis):
    record = await store.commit(ALICE, draft())
    key = key_of(ALICE, record)._replace(checkpoint="another")
    assert await store.state(key, record) is None
    await store.save_state(key, record, {"w": np.array([7.5])})
    assert await store.state(key, record) == {"w": np.array([7.5])}
    assert 0 < redis.ttl(state_key(ALICE)) <= 1000


async def test_a_rebuilt_state_of_an_older_version_is_not_stored(store, redis):
    first = await store.commit(ALICE, draft(1))
    second = await store.commit(ALICE, draft(2))
    await store.save_state(key_of(ALICE, first), first, {"w": np.array([7.5])})
    assert await store.state(key_of(ALICE, second), second) == {"w": np.array([2])}
    await store.forget(ALICE)
    await store.save_state(key_of(ALICE, second), second, {"w": np.array([7.5])})
    assert redis.keys() == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ClientKey("acme", "x"), ClientKey("acme", "x:record")),
        (ClientKey("acme", "x"), ClientKey("acme_", "x")),
        (ClientKey("acme", "acme:x"), ClientKey("acme", "x")),
        (ClientKey("acme", "clients"), ClientKey("clients", "acme")),
    ],
)
async def test_clients_with_similar_names_are_separate(store, one, other):
    await store.commit(one, draft(1))
    with pytest.raises(UnknownClient):
        await store.record(other)
    await store.commit(other, draft(2))
    await store.forget(other)
    assert (await store.record(one)).examples == 1


async def test_all_keys_of_a_client_share_one_slot(store, redis):
    await store.commit(ALICE, draft())
    slots = {redis.execute_command("CLUSTER KEYSLOT", key) for key in redis.scan_iter() if b"alice" in key}
    assert len(slots) == 1
