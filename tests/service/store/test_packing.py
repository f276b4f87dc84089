"""Commands packed in C are those that redis-py packs itself."""

import redis.asyncio as redis
from hypothesis import given
from hypothesis import strategies as st

from service.store.connect import connect

WORDS = st.one_of(
    st.binary(max_size=200),
    st.integers(5990, 6010).map(bytes),
    st.text(max_size=50),
    st.integers(-(2**63), 2**63),
    st.floats(),
)


@given(st.sampled_from(["GET", "EVAL", "CONFIG GET", b"XINFO STREAM"]), st.lists(WORDS, max_size=30))
def test_a_command_is_the_same_as_redis_py_packs_it(name: str | bytes, words: list[bytes | str | int | float]):
    client = connect("redis://localhost:1", 1)
    assert isinstance(client, redis.Redis)
    ours, theirs = client.connection_pool.connection_class(), redis.Connection()
    assert b"".join(ours.pack_command(name, *words)) == b"".join(theirs.pack_command(name, *words))
