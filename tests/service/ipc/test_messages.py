"""Messages between API processes and workers."""

import asyncio
import socket
from unittest.mock import Mock

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from service.arrays import SupportSet
from service.engine.base import NOBODY
from service.ipc import messages
from service.ipc.connection import LENGTH, Connection

pytestmark = pytest.mark.anyio

dtypes = st.sampled_from(messages.DTYPES).map(np.dtype)
arrays = dtypes.flatmap(lambda dtype: shapes.arrays(dtype, shapes.array_shapes(min_dims=0, max_dims=4, min_side=0)))


@given(array=arrays)
def test_an_array_arrives_unchanged(array):
    sent = messages.encoder().encode(messages.Answered(1, array))
    out = messages.decoder(messages.ToApi).decode(sent).answers
    assert out.dtype == array.dtype
    assert out.shape == array.shape
    assert out.tobytes() == array.tobytes()


def test_a_non_contiguous_array_arrives_unchanged():
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    sent = messages.encoder().encode(messages.Answered(1, array))
    assert np.array_equal(messages.decoder(messages.ToApi).decode(sent).answers, array)


def test_a_support_set_arrives_unchanged():
    support = SupportSet(np.ones((2, 1, 28, 28), np.uint8), np.arange(2), 2)
    sent = messages.encoder().encode(messages.Adapt(1, "glyphs", "alice/2", support, "alice/1", [0], NOBODY))
    out = messages.decoder(messages.ToWorker).decode(sent)
    assert (out.extends, out.support.ways) == ("alice/1", 2)
    assert np.array_equal(out.support.inputs, support.inputs)
    assert np.array_equal(out.support.targets, support.targets)


@pytest.mark.parametrize(("dtype", "shape", "size"), [
    ("float32", (2, 3), 23),
    ("float32", (2, 3), 25),
    ("float32", (-1, -6), 24),
    ("object", (1,), 8),
    ("O", (1,), 8),
    ("<M8[s]", (1,), 8),
    ("", (), 0),
])  # fmt: skip
def test_an_array_that_does_not_match_its_description_is_refused(dtype, shape, size):
    sent = msgspec.msgpack.encode(["Answered", 1, [dtype, shape, bytes(size)]])
    with pytest.raises(msgspec.ValidationError):
        messages.decoder(messages.ToApi).decode(sent)


MESSAGES = [
    messages.Adapt(
        1, "glyphs", "alice", SupportSet(np.ones((2, 1, 28, 28), np.uint8), np.arange(2), 2), None, None, NOBODY
    ),
    messages.Predict(2, "glyphs", "a/b", np.ones((1, 1, 28, 28), np.uint8), None, NOBODY),
    messages.Predict(3, "glyphs", "a/b", np.ones((1, 2), np.float32), {"w": np.ones(3, np.float32)}, NOBODY),
    messages.Evict("a/b"),
    messages.Cancel(2),
]


class Far:
    """The receiving end: what it received, in order, and whether the connection was lost."""

    def __init__(self) -> None:
        self.got: list = []
        self.left = False
        self.connection = Connection(messages.ToWorker, self.got.append, lost=self.leave)

    def leave(self) -> None:
        self.left = True


class Cable(asyncio.Transport):
    """Keeps what is written; closing it ends the connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__({"socket": Mock(spec=socket.socket)})
        self.connection, self.written, self.writes = connection, b"", 0

    def write(self, data) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.connection.connection_lost(None)


async def sent(several) -> bytes:
    near = Connection(messages.ToApi, print, lost=print)
    cable = Cable(near)
    near.connection_made(cable)
    for message in several:
        near.send(message)
    await asyncio.sleep(0)  # one turn of the event loop: messages go out in one write
    assert cable.writes == 1
    return cable.written


@pytest.mark.parametrize("piece", [1, 3, 7, 4096, 10**6])
async def test_messages_arrive_whole_in_pieces_of_any_size(piece):
    stream, far = await sent(MESSAGES), Far()
    for begin in range(0, len(stream), piece):
        far.connection.data_received(stream[begin : begin + piece])
    assert [type(message) for message in far.got] == [type(message) for message in MESSAGES]
    assert far.got[0].model == "glyphs"
    assert far.got[2].state["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("stream", [
    LENGTH.pack(5) + b"\xc1\xc1\xc1\xc1\xc1",
    LENGTH.pack(1) + b"\x90",
    LENGTH.pack(7) + b"\x92\xa5Adapt",
    LENGTH.pack(2**31 + 1),
])  # fmt: skip
async def test_an_unreadable_message_closes_the_connection(stream):
    far = Far()
    far.connection.connection_made(Cable(far.connection))
    far.connection.data_received(stream)
    assert far.left
    assert far.got == []
