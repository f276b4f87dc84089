"""Messages between API processes and workers: whole, however the bytes arrive, and refused when they make no sense."""

import asyncio
import socket
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from service.errors import BadRequest
from service.ipc import messages
from service.ipc.connection import LENGTH, PARTNERS_LIMIT, Connection

pytestmark = pytest.mark.anyio

dtypes = st.sampled_from(messages.DTYPES).map(np.dtype)
arrays = dtypes.flatmap(lambda dtype: shapes.arrays(dtype, shapes.array_shapes(min_dims=0, max_dims=4, min_side=0)))


@given(array=arrays)
def test_an_array_comes_out_as_it_went_in(array):
    out = messages.unpack(messages.pack(array))
    assert out.dtype == array.dtype
    assert out.shape == array.shape
    assert out.tobytes() == array.tobytes()


@pytest.mark.parametrize(("dtype", "shape", "size"), [
    ("float32", (2, 3), 23),
    ("float32", (2, 3), 25),
    ("float32", (-1, -6), 24),
    ("object", (1,), 8),
    ("O", (1,), 8),
    ("<M8[s]", (1,), 8),
    ("", (), 0),
])  # fmt: skip
def test_an_array_that_is_not_what_it_says_is_refused(dtype, shape, size):
    with pytest.raises(BadRequest):
        messages.unpack(messages.Packed(dtype, shape, memoryview(bytes(size))))


MESSAGES = [
    messages.Proof(b"n" * 32, b"m" * 32),
    messages.Adapt(
        1, "glyphs", "alice", messages.pack(np.ones((2, 1, 28, 28), np.uint8)), messages.pack(np.arange(2)), 2
    ),
    messages.Predict(2, "glyphs", "a/b", messages.pack(np.ones((1, 1, 28, 28), np.uint8)), None),
    messages.Predict(
        3, "glyphs", "a/b", messages.pack(np.ones((1, 2), np.float32)), {"w": messages.pack(np.ones(3, np.float32))}
    ),
    messages.Evict("a/b"),
    messages.Cancel(2),
]


class Far:
    """The far end of a link: what it got, in order, and whether it was left."""

    def __init__(self) -> None:
        self.got: list = []
        self.left = False
        self.link = Connection(messages.ToWorker, self.got.append, lost=self.leave)

    def leave(self) -> None:
        self.left = True


class Cable(asyncio.Transport):
    """Keeps what is written; closing it is told to the link."""

    def __init__(self, link: Connection) -> None:
        super().__init__({"socket": Mock(spec=socket.socket)})
        self.link, self.written, self.writes = link, b"", 0

    def write(self, data) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.link.connection_lost(None)


async def sent(messages) -> bytes:
    near = Connection(messages.ToApi, print, lost=print)
    cable = Cable(near)
    near.connection_made(cable)
    for message in messages:
        near.send(message)
    await asyncio.sleep(0)  # a turn of the event loop: then it goes out
    assert cable.writes == 1
    return cable.written


@pytest.mark.parametrize("piece", [1, 3, 7, 4096, 10**6])
async def test_messages_arrive_whole_in_whatever_pieces_they_come(piece):
    stream, far = await sent(MESSAGES), Far()
    far.link.limit = PARTNERS_LIMIT
    for begin in range(0, len(stream), piece):
        far.link.data_received(stream[begin : begin + piece])
    assert [type(message) for message in far.got] == [type(message) for message in MESSAGES]
    assert far.got[1].model == "glyphs"
    assert messages.unpack(far.got[3].state["w"]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("stream", [
    LENGTH.pack(5) + b"\xc1\xc1\xc1\xc1\xc1",
    LENGTH.pack(1) + b"\x90",
    LENGTH.pack(7) + b"\x92\xa5Adapt",
    LENGTH.pack(5000),
    b"GET / HTTP/1.1\r\n\r\n",
])  # fmt: skip
async def test_a_message_that_makes_no_sense_ends_the_connection(stream):
    far = Far()
    far.link.connection_made(Cable(far.link))
    far.link.data_received(stream)
    assert far.left
    assert far.got == []
