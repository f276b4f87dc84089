"""The Python client against a real service."""

import numpy as np
import pytest

from service.client import AsyncHandful, Handful, RefusedError
from tests.service.drawings import letters, png

PAIRS = [(example["input"], example["label"]) for example in letters("LV")]


def test_what_is_taught_is_asked_and_forgotten(api, tmp_path):
    with Handful(str(api.base_url)) as handful:
        assert handful.adapt("alice", PAIRS, model="glyphs")["classes"] == ["L", "V"]
        assert handful.predict("alice", [png("V")])[0]["label"] == "V"
        handful.forget("alice")
        with pytest.raises(RefusedError) as refused:
            handful.predict("alice", [png("V")])
    assert (refused.value.status, refused.value.code) == (404, "unknown_client")


def test_arrays_and_numbers_are_inputs_too(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("bob", [(np.float32(x), np.sin(x)) for x in range(5)], model="sinusoid")
        assert len(handful.predict("bob", [0.5, np.array([1.5])])) == 2


def test_a_client_id_cannot_reach_another_path(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        with pytest.raises(RefusedError):
            handful.forget("alice?x")
        assert handful.predict("alice", [png("L")])


def test_an_answer_that_is_no_success_is_not_taken_for_one(api):
    with Handful(str(api.base_url)) as handful, pytest.raises(RefusedError):
        handful.forget("")  # is sent on to the list of clients


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(api):
    async with AsyncHandful(str(api.base_url)) as handful:
        await handful.adapt("alice", PAIRS)
        assert (await handful.predict("alice", [png("L")]))[0]["label"] == "L"
        await handful.forget("alice")
        with pytest.raises(RefusedError, match="unknown_client"):
            await handful.predict("alice", [png("L")])
