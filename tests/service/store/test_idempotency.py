"""`Idempotency-Key`: a retry gets the first answer and changes nothing."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from service.api.idempotency_key import request_key
from service.errors import Busy, KeyReused, RequestInProgress, UnknownClient, Unprocessable
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.answers import Answers
from service.store.keys import answer_times_key, answers_key
from service.store.records import ClientKey, RequestKey
from service.store.store import Store
from tests.service.redises import EITHER
from tests.service.store.fake_engine import CATALOGUE, FakeEngine
from tests.service.supports import ALICE, Calls, teaching, use_cases

pytestmark = pytest.mark.anyio

SUPPORT = [([1.0], 3.0)]
REQUEST, OTHER_BODY, OTHER_KEY = RequestKey("key", "body"), RequestKey("key", "other"), RequestKey("other", "body")


class GatedEngine(FakeEngine):
    """Adapts only while its gate is open."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))
        self.gate, self.reached = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.fails = False

    async def adapt(self, *arguments: Any, **options: Any) -> Any:
        self.reached.set()
        await self.gate.wait()
        if self.fails:
            raise Busy("full")
        return await super().adapt(*arguments, **options)


@pytest.fixture
def engine() -> GatedEngine:
    return GatedEngine()


@pytest.fixture
async def api(redis_url, redis, engine) -> AsyncIterator[Callable[..., Calls]]:
    """Starts API processes."""
    redis.flushall()
    stores: list[Store] = []

    def start(**options: Any) -> Calls:
        stores.append(Store(redis_url, timeout_s=20, state_ttl_s=1000, **options))
        return use_cases(CATALOGUE, engine, stores[-1], Settings(), Decoder(Settings()))

    yield start
    for store in stores:
        await store.close()


async def append(clients: Calls, request: RequestKey | None, client: ClientKey = ALICE) -> Any:
    return await clients.append(client, teaching(None, SUPPORT, None, request, twice=True))


@EITHER
class TestRetry:
    """Of a request that was answered."""

    @pytest.fixture
    async def clients(self, api) -> Calls:
        clients = api()
        await clients.adapt(ALICE, teaching("echo", SUPPORT, None))
        return clients

    async def test_gets_the_same_answer_and_appends_nothing(self, clients):
        first = await append(clients, REQUEST)
        assert await append(clients, REQUEST) == first
        assert (await clients.show(ALICE)).examples == 2

    async def test_gets_the_first_answer_of_a_replacement_after_others_have_followed(self, clients):
        first = await clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))
        for _ in range(3):
            await append(clients, None)
        assert await clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST)) == first
        assert (await clients.show(ALICE)).version == 5

    async def test_gets_the_first_answer_after_the_client_was_deleted(self, clients):
        first = await append(clients, REQUEST)
        await clients.forget(ALICE)
        assert await append(clients, REQUEST) == first
        with pytest.raises(UnknownClient):
            await clients.show(ALICE)

    async def test_gets_the_first_answer_from_another_process(self, clients, api):
        first = await append(clients, REQUEST)
        assert await append(api(), REQUEST) == first

    async def test_with_another_body_is_refused(self, clients):
        await append(clients, REQUEST)
        with pytest.raises(KeyReused):
            await append(clients, OTHER_BODY)
        assert (await clients.show(ALICE)).examples == 2

    async def test_with_another_key_is_a_new_request(self, clients):
        await append(clients, REQUEST)
        assert (await append(clients, OTHER_KEY)).record.examples == 3

    async def test_of_another_tenant_is_a_new_request(self, clients):
        await append(clients, REQUEST)
        other = ClientKey("globex", "alice")
        assert (await clients.adapt(other, teaching("echo", SUPPORT, None, OTHER_BODY))).record.version == 1

    async def test_after_the_time_is_over_is_a_new_request(self, clients, redis):
        await append(clients, REQUEST)
        assert 86000 < redis.ttl(answers_key("acme")) <= 86400
        await append(clients, None)
        redis.zincrby(answer_times_key("acme"), -86401, REQUEST.name)
        assert (await append(clients, REQUEST)).record.examples == 4

    async def test_after_a_damage_of_the_answers_is_carried_out(self, clients, redis):
        await append(clients, REQUEST)
        await append(clients, None)
        redis.hset(answers_key("acme"), REQUEST.name, redis.hget(answers_key("acme"), REQUEST.name)[:-2])
        assert (await append(clients, REQUEST)).record.examples == 4
        for key in (answers_key("acme"), answer_times_key("acme")):
            redis.set(key, "of another type")
        assert (await append(clients, OTHER_KEY)).record.examples == 5


@EITHER
async def test_a_request_that_still_runs_is_refused_with_the_time_to_wait(api, engine):
    clients = api()
    engine.gate.clear()
    first = asyncio.create_task(clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST)))
    await engine.reached.wait()
    with pytest.raises(RequestInProgress) as refused:
        await clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))
    assert (refused.value.status, refused.value.retry_after_s) == (409, 1)
    with pytest.raises(KeyReused):
        await clients.adapt(ALICE, teaching("echo", SUPPORT, None, OTHER_BODY))
    engine.gate.set()
    assert await clients.adapt(ALICE, teaching("echo", SUPPORT, None, OTHER_KEY)) != await first


@EITHER
async def test_a_request_that_failed_can_be_sent_again(api, engine):
    clients = api()
    engine.fails = True
    with pytest.raises(Busy):
        await clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))
    engine.fails = False
    assert (await clients.adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))).record.version == 1


@EITHER
async def test_a_request_can_be_sent_again_after_its_process_died_and_its_mark_expired(api):
    await api().store.claim(ALICE, REQUEST)
    with pytest.raises(RequestInProgress):
        await api().adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))
    assert (await api(mark_s=0).adapt(ALICE, teaching("echo", SUPPORT, None, REQUEST))).record.version == 1


@EITHER
async def test_a_retry_names_the_stored_examples_of_an_attempt_that_died_before_it_answered(api, monkeypatch):
    clients = api(mark_s=0)
    await clients.adapt(ALICE, teaching("echo", SUPPORT, None))

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched, suppress(asyncio.CancelledError):
        patched.setattr(Answers, "finish", die)  # on one server the script that writes the client stores the answer
        await append(clients, REQUEST)
    retried = await append(clients, REQUEST)
    stored = (await clients.store.contents(ALICE)).examples
    assert len(stored) == 2
    assert retried.ids == [stored[-1].id]


async def begun(clients, engine) -> asyncio.Task:
    """An append that has read the client, and waits for the engine until its gate opens."""
    await clients.adapt(ALICE, teaching("echo", SUPPORT, None))
    engine.gate.clear()
    engine.reached.clear()
    task = asyncio.create_task(append(clients, REQUEST))
    await engine.reached.wait()
    return task


@EITHER
async def test_an_append_that_outlives_its_mark_is_done_once(api, engine):
    clients, hasty = api(), api(mark_s=0)
    slow = await begun(clients, engine)
    again = asyncio.create_task(append(hasty, REQUEST))
    engine.gate.set()
    assert await slow == await again
    assert (await clients.show(ALICE)).examples == 2


@EITHER
async def test_an_append_that_reads_what_its_first_attempt_wrote_gets_its_answer(api, engine):
    clients, hasty = api(), api(mark_s=0)
    first = await begun(clients, engine)
    claim = hasty.store.claim

    async def claim_and_wait(*given: object) -> object:
        mark = await claim(*given)
        engine.gate.set()
        await first
        return mark

    hasty.store.claim = claim_and_wait
    again = await append(hasty, REQUEST)
    assert again == await first
    assert [one.id for one in (await clients.store.contents(ALICE)).examples][-1:] == again.ids


@pytest.mark.parametrize("redis_url", ["cluster"], indirect=True)
async def test_an_append_is_done_once_if_its_process_died_before_storing_the_answer(api, monkeypatch):
    clients = api(mark_s=0)
    await clients.adapt(ALICE, teaching("echo", SUPPORT, None))
    with monkeypatch.context() as patch:
        patch.delattr(Answers, "finish")
        with suppress(AttributeError):
            await append(clients, REQUEST)
    assert (await append(clients, REQUEST)).record.examples == 2
    assert (await clients.show(ALICE)).examples == 2


@EITHER
async def test_the_answers_of_a_tenant_are_bounded_and_the_oldest_go_first(api, redis):
    clients = api(answer_bytes=2000)
    requests = [RequestKey(f"key-{n:02}", "body") for n in range(20)]
    for request in requests:
        await clients.adapt(ALICE, teaching("echo", SUPPORT, None, request))
        redis.zincrby(answer_times_key("acme"), -100 + int(request.name[-2:]), request.name)
    kept = redis.hgetall(answers_key("acme"))
    size = int(kept.pop(b""))
    assert size == sum(map(len, kept.values())) <= 2000
    assert sorted(kept) == [request.name.encode() for request in requests[-len(kept) :]]
    assert redis.zcard(answer_times_key("acme")) == len(kept)


async def test_a_request_without_a_key_costs_as_many_commands_as_before(api, redis):
    clients = api()

    async def commands(call: Callable[[], Any]) -> dict[str, int]:
        redis.config_resetstat()
        await call()
        counted = redis.info("commandstats")
        own = ("config|resetstat", "info", "hello", "client|setinfo")
        return {name[8:]: each["calls"] for name, each in counted.items() if name[8:] not in own}

    await clients.adapt(ALICE, teaching("echo", SUPPORT, None))
    written = await commands(lambda: clients.adapt(ALICE, teaching("echo", SUPPORT, None)))
    reads = {"mget": 1, "hgetall": 2, "hkeys": 1}
    in_eval = {"get": 1, "set": 2, "hset": 4, "del": 1, "zadd": 1}  # one hset counts the client
    counting = ("type", "hget", "hlen", "hincrby")
    assert {name: calls for name, calls in written.items() if name not in counting} == reads | {"eval": 1} | in_eval
    asked = await commands(lambda: clients.predict(ALICE, [[0.0]]))
    assert asked.pop("getex", 1) == 1
    asked.pop("hget", None)  # the quota, looked up again behind requests
    assert asked == {"mget": 1}


@pytest.mark.parametrize(
    "values", [[""], ['""'], ["a b"], ['"a'], ["é"], ["a" * 256], ["one", "two"], ["a,b\x7f"], ["a\tb"]]
)
def test_an_invalid_key_header_is_refused(values):
    with pytest.raises(Unprocessable, match="UUID") as refused:
        request_key(values, "application/json", b"{}")
    assert refused.value.field == "Idempotency-Key"


def test_quotes_do_not_matter_and_every_byte_of_the_body_does():
    key = request_key(["k"], "application/json", b"{}")
    assert key == request_key(['"k"'], "application/json", b"{}")
    assert key.fingerprint != request_key(["k"], "application/json", b"{} ").fingerprint
    assert key.fingerprint != request_key(["k"], "application/safetensors", b"{}").fingerprint
    assert request_key([], "application/json", b"{}") is None
