"""What the benchmarks reckon, as far as it does not depend on time."""

import asyncio
from contextlib import suppress

import httpx
import pytest

from benchmarks.driving import send
from benchmarks.fairness import fits, worst_first
from benchmarks.growth import BATCH, WAYS, too_large, verdict
from benchmarks.load import ANY_CLIENT, Load, requests
from benchmarks.peak import Batch, adapt_flops, share
from benchmarks.peers.network import MAML, PROTONET, STEPS
from benchmarks.report_limits import fairness, growth, read_growth

FIRST = 2 * 14 * 14 * 64 * 9
FORWARD = FIRST + 2 * (7 * 7 + 4 * 4 + 2 * 2) * 64 * 9 * 64
HEAD = 2 * 64 * 5
"""Of an image: every output of a convolution of 3 x 3 is as many multiplications and additions as it has inputs."""


def test_a_prototypical_adapt_is_the_features_of_each_image():
    assert adapt_flops(PROTONET, 25) == 25 * FORWARD


def test_a_step_of_maml_costs_three_forward_passes_less_the_gradient_of_the_images():
    assert adapt_flops(MAML, 5) == STEPS * 5 * (3 * (FORWARD + HEAD) - FIRST)


def test_the_share_of_the_peak_is_arithmetic_by_time():
    assert share(Batch(PROTONET, 1, 16), adapt_flops(PROTONET, 5) / 1e3, best=4.0)["share"] == 0.25


@pytest.mark.parametrize(
    ("axis", "microseconds", "found"),
    [
        (WAYS, {2: 10, 4: 20, 8: 40}, []),
        (WAYS, {2: 10, 4: 15, 8: 60}, [8]),
        (WAYS, {2: 10, 4: 21}, []),
        (BATCH, {1: 10, 16: 5, 64: 9}, []),
        (BATCH, {1: 10, 2: 15, 64: 5}, [2]),
    ],
)
def test_growth_beyond_the_size_is_worse_than_linear(axis, microseconds, found):
    assert too_large(axis, {size: {"cpu_us": each} for size, each in microseconds.items()}) == found


def test_the_page_lists_growth_that_is_worse_than_linear():
    points = {"2": {"rate": 1, "cpu_us": 10}, "8": {"rate": 1, "cpu_us": 60}}
    found = read_growth({WAYS: {"maml adapt": points}})
    assert verdict(WAYS, found[WAYS]) == "worse than linear: maml adapt at 8"
    assert "| maml adapt | 1, 10 | 1, 60 |\n\nWorse than linear: maml adapt at 8.\n" in growth(found)


def test_a_request_names_one_of_the_clients_and_is_as_long_as_it_says():
    body = b'{"client_id":"%s"}' % ANY_CLIENT
    (request,) = requests(Load(1, "/predict", "application/json", [body], 1.0, among=1))
    head, sent = request().split(b"\r\n\r\n")
    assert sent == b'{"client_id":"000000"}'
    assert f"Content-Length: {len(sent)}".encode() in head


@pytest.mark.anyio
async def test_a_load_counts_lost_and_refused_connections_and_goes_on():
    answered = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"?")
            answered += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"?")
        writer.close()
        server.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await asyncio.to_thread(send, Load(port, "/predict", "text/plain", [b"?"], 1.0, rate=50))
    assert found.answered == answered >= 1
    assert found.failures > 0


def figures(predict: float, adapt: float) -> dict[str, float]:
    """Of a model, by its ratios."""
    return {
        "predict_quiet_ms": 1, "predict_flood_ms": predict, "predict_ratio": predict,
        "adapt_quiet_ms": 1, "adapt_flood_ms": adapt, "adapt_ratio": adapt,
    }  # fmt: skip


def test_the_page_shows_the_three_models_that_are_farthest_from_their_goals():
    found = {"a": figures(4, 1), "b": figures(1, 9), "c": figures(1, 1), "d": figures(2, 2)}
    assert worst_first(found) == ["b", "a", "d", "c"]
    assert [f"`{name}`" in fairness(found) for name in "abcd"] == [True, True, False, True]


@pytest.mark.parametrize(("status", "detail", "count"), [
    (200, "", None),
    (422, "Send at most 200 examples, or use another model.", 180),
    (422, "Send a smaller support set, or use another model.", 1),
])  # fmt: skip
def test_a_refusal_says_how_much_the_flood_may_send(status, detail, count):
    request = httpx.Request("POST", "http://service/adapt")
    assert fits(httpx.Response(status, json={"detail": detail}, request=request)) == count
