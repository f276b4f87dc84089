"""States in 16 bits answer as those in 32."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models import checkpoint
from service.engine.delta_encoding import DeltaEncoding
from service.settings import Settings
from tests.service.engine.test_worker import images, points, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio


def test_differences_from_the_models_weights_take_half_the_bytes_and_decode_to_the_weights():
    own = {"weight": torch.randn(8, 4), "bias": torch.randn(8), "shared": torch.randn(2)}
    states = {
        "bias": own["bias"] + 0.01 * torch.randn(3, 8),
        "prototypes": torch.randn(3, 2, 4),
        "weight": own["weight"] + 0.01 * torch.randn(3, 8, 4),
    }
    kept = DeltaEncoding(own).encode(states)
    assert {name: (value.shape, value.dtype) for name, value in kept.items()} == {
        "bias weight": ((3, 40), torch.float16),
        "prototypes": ((3, 2, 4), torch.float32),
    }
    assert torch.equal(kept["prototypes"], states["prototypes"])
    assert_close(DeltaEncoding(own).decode(kept), states, rtol=0, atol=0.05 * 2**-11)


def test_a_tensor_of_another_shape_is_not_encoded():
    states = {"weight": torch.randn(3, 2, 4)}
    assert torch.equal(DeltaEncoding({"weight": torch.randn(5, 4)}).encode(states)["weight"], states["weight"])


def test_states_that_are_not_encoded_decode_to_themselves():
    states = {"weight": torch.randn(3, 8, 4)}
    assert_close(DeltaEncoding({"weight": torch.randn(8, 4)}).decode(states), states, rtol=0, atol=0)


async def test_a_classifier_answers_from_half_the_bytes_within_a_thousandth(zoo):
    answers, sizes = [], []
    for precision in ("float32", "float16"):
        with working(Settings(models=zoo, state_precision=precision)) as worker:
            state = await worker.adapt("glyphs-maml", "alice", support(3, 2, 0))
            sizes.append(sum(value.nbytes for value in state.values()))
            answers.append(await worker.predict("glyphs-maml", "alice", images(20, 1)))
    assert sizes[1] < 0.6 * sizes[0]
    probabilities = [torch.tensor(each).softmax(-1) for each in answers]
    assert_close(*probabilities, rtol=0, atol=1e-3)
    assert (answers[0].argmax(-1) == answers[1].argmax(-1)).all()


async def test_states_of_either_precision_are_answered_by_a_worker_of_the_other(zoo):
    answers = []
    for made, asked in (("float32", "float16"), ("float16", "float32")):
        with working(Settings(models=zoo, state_precision=made)) as worker:
            state = await worker.adapt("glyphs-maml", "alice", support(3, 2, 0))
        with working(Settings(models=zoo, state_precision=asked)) as worker:
            answers.append(await worker.predict("glyphs-maml", "alice", images(5, 1), state))
    np.testing.assert_allclose(*answers, rtol=1e-3)


async def test_regression_states_are_exact(zoo):
    taught, learner = points(5, 0), checkpoint.load(zoo / "sinusoid.safetensors")
    with working(Settings(models=zoo)) as worker:
        state = await worker.adapt("sinusoid", "alice", taught)
    assert {value.dtype for value in state.values()} == {np.dtype("float32")}
    assert state.keys() & dict(learner.named_parameters()).keys()
