"""A tenant alone may have any number of requests in progress; beside others it has its share."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.tenant_shares import EXAMPLES, RECENT_S, SHARE, TenantShares
from service.errors import DeadlineExceeded

LARGE = SHARE * EXAMPLES


class Scene:
    """Shares with a clock that the test moves, and the requests that have their turn."""

    def __init__(self, deadline_s: float = 60) -> None:
        self.time = 0.0
        self.shares = TenantShares(deadline_s, lambda: self.time)
        self.running: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, examples: int = 1) -> None:
        """Begin a request. The first letter of its name is the tenant."""
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._request(name, examples))
        await settle()

    async def _request(self, name: str, examples: int) -> None:
        async with self.shares.turn(name[0], examples):
            self.running.append(name)
            try:
                await self.ends[name].wait()
            finally:
                self.running.remove(name)

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settle()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        await settle()


async def settle() -> None:
    """Let all tasks go on until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(play: Callable[[Scene], Awaitable[None]], **options: float) -> None:
    async def main() -> None:
        scene = Scene(**options)
        await play(scene)
        async with AsyncExitStack() as stack:
            for name, task in scene.tasks.items():
                stack.callback(task.cancel)
                scene.ends[name].set()

    asyncio.run(main())


async def full(scene: Scene) -> None:
    """Tenant b has asked, and tenant a has its whole share in progress."""
    await scene.ask("b")
    for number in range(SHARE):
        await scene.ask(f"a{number}")


def test_a_tenant_alone_has_no_limit():
    async def play(scene: Scene) -> None:
        for number in range(5 * SHARE):
            await scene.ask(f"a{number}", LARGE)
        assert len(scene.running) == 5 * SHARE

    run(play)


def test_requests_over_the_share_wait_in_order_and_others_do_not():
    async def play(scene: Scene) -> None:
        await full(scene)
        await scene.ask("a-first")
        await scene.ask("a-second")
        await scene.ask("b-other")
        assert "b-other" in scene.running
        assert not {"a-first", "a-second"} & {*scene.running}
        await scene.end("a0")
        assert "a-first" in scene.running
        assert "a-second" not in scene.running

    run(play)


def test_a_large_request_takes_the_whole_share():
    async def play(scene: Scene) -> None:
        await scene.ask("b")
        await scene.ask("a-large", 100 * LARGE)
        await scene.ask("a-small")
        assert scene.running == ["b", "a-large"]
        await scene.end("a-large")
        assert scene.running == ["b", "a-small"]

    run(play)


def test_a_small_request_does_not_overtake_a_large_one_of_its_tenant():
    async def play(scene: Scene) -> None:
        await scene.ask("b")
        await scene.ask("a-small")
        await scene.ask("a-large", LARGE)
        await scene.ask("a-late")
        assert scene.running == ["b", "a-small"]
        await scene.end("a-small")
        assert scene.running == ["b", "a-large"]

    run(play)


def test_all_that_wait_begin_once_no_other_tenant_has_asked_lately():
    async def play(scene: Scene) -> None:
        await full(scene)
        for number in range(9):
            await scene.ask(f"a-late-{number}")
        scene.time += 2 * RECENT_S
        await scene.end("a0")
        assert len(scene.running) == 1 + SHARE - 1 + 9

    run(play)


def test_a_request_whose_caller_has_gone_gives_its_place_to_the_next():
    async def play(scene: Scene) -> None:
        await full(scene)
        await scene.ask("a-gone", LARGE)
        await scene.ask("a-next")
        await scene.cancel("a-gone")
        await scene.end("a0")
        assert "a-next" in scene.running

    run(play)


def test_a_turn_that_comes_to_a_cancelled_request_is_given_back():
    async def play(scene: Scene) -> None:
        await full(scene)
        await scene.ask("a-gone")
        await scene.ask("a-next")
        scene.ends["a0"].set()
        await asyncio.sleep(0)  # the request ends and gives its turn to the next, which has not run yet
        await scene.cancel("a-gone")
        await scene.end("a1")
        assert "a-next" in scene.running

    run(play)


def test_a_request_waits_for_the_deadline_at_most():
    async def play(scene: Scene) -> None:
        await full(scene)
        with pytest.raises(DeadlineExceeded):
            async with scene.shares.turn("a", 1):
                pass

    run(play, deadline_s=0.01)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2 * LARGE), st.booleans()), max_size=60))
def test_every_request_gets_its_turn_and_nothing_is_left_behind(requests: list[tuple[str, int, bool]]):
    async def play(scene: Scene) -> None:
        for number, (tenant, examples, leaves) in enumerate(requests):
            await scene.ask(f"{tenant}{number}", examples)
            if leaves:
                await scene.cancel(f"{tenant}{number}")
        for event in scene.ends.values():
            event.set()
        done = await asyncio.wait_for(asyncio.gather(*scene.tasks.values(), return_exceptions=True), 60)
        assert all(each is None or isinstance(each, asyncio.CancelledError) for each in done)
        assert not scene.running
        assert not scene.shares._held
        assert not scene.shares._queues

    run(play)
