"""The cache of states is bounded by bytes and evicts the least recently used first."""

from hypothesis import given
from hypothesis import strategies as st

from service.engine.state_cache import StateCache

keys = st.sampled_from("abcde")
steps = st.lists(st.tuples(keys, st.integers(0, 60)) | keys, max_size=40)


def filled(capacity: int, **sizes: int) -> StateCache[str]:
    cache: StateCache[str] = StateCache(capacity)
    for key, size in sizes.items():
        cache.put(key, key.upper(), size)
    return cache


def kept(cache: StateCache[str], keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_a_value_that_was_put_is_found_and_no_other():
    cache = filled(10, a=3)
    assert (cache.get("a"), cache.get("b"), len(cache), cache.bytes) == ("A", None, 1, 3)


def test_the_least_recently_put_is_evicted_first():
    assert kept(filled(10, a=4, b=4, c=4), "abc") == "bc"


def test_a_value_that_was_read_is_recent():
    cache = filled(10, a=4, b=4)
    cache.get("a")
    cache.put("c", "C", 4)
    assert kept(cache, "abc") == "ac"


def test_only_as_many_entries_are_evicted_as_needed():
    assert kept(filled(10, a=3, b=3, c=3, d=9), "abcd") == "d"


def test_a_new_value_replaces_the_old_one_and_its_size():
    cache = filled(10, a=8)
    cache.put("a", "new", 3)
    assert (cache.get("a"), len(cache), cache.bytes) == ("new", 1, 3)


def test_the_latest_is_kept_even_above_the_capacity():
    cache = filled(10, a=4, b=50)
    assert (kept(cache, "ab"), cache.bytes) == ("b", 50)
    cache.put("c", "C", 4)
    assert (kept(cache, "abc"), cache.bytes) == ("c", 4)


@given(st.integers(0, 100), steps)
def test_it_keeps_the_most_recently_used_entries(capacity, steps):
    cache: StateCache[int] = StateCache(capacity)
    order: list[tuple[str, int]] = []
    for step in steps:
        key, size = step if isinstance(step, tuple) else (step, dict(order).get(step))
        if isinstance(step, tuple):
            cache.put(key, size, size)
        assert cache.get(key) == size
        order = [entry for entry in order if entry[0] != key] + ([(key, size)] if size is not None else [])
        while sum(size for _, size in order) > capacity and len(order) > 1:
            order.pop(0)
        assert (len(cache), cache.bytes) == (len(order), sum(size for _, size in order))
