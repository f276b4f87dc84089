"""Neural processes: what their states hold, and how wide their answers are."""

import pytest
import torch

from models.checkpoint import Spec, build
from models.learner import Support, full_mask
from models.learners.conditional_neural_process import LEAST_DEVIATION

MLP = {"inputs": 1, "widths": [16]}


def learner(name: str):
    torch.manual_seed(0)
    return build(Spec(name, "mlp", {"width": 16}, MLP)).eval().requires_grad_(False)


def support(count: int) -> Support:
    x = torch.linspace(-1, 1, count).unsqueeze(1)
    return Support(x, x.sin(), full_mask(x), ways=0)


def test_the_state_of_a_mean_does_not_grow():
    process = learner("conditional-neural-process")
    shapes = {process.adapt(process.encode_support(support(n)))["mean"].shape for n in (1, 5, 50)}
    assert shapes == {(16,)}


def test_examples_that_are_repeated_change_no_mean():
    process, few = learner("conditional-neural-process"), support(3)
    twice = Support(few.inputs.repeat(2, 1), few.targets.repeat(2, 1), few.mask.repeat(2), ways=0)
    once, again = (process.adapt(process.encode_support(each))["mean"] for each in (few, twice))
    torch.testing.assert_close(once, again)


def test_with_one_example_every_query_attends_to_it():
    process = learner("attentive-neural-process")
    state = process.adapt(process.encode_support(support(1)))
    context = process.context(state, process.encode(torch.tensor([[-2.0], [0.0], [2.0]])))
    torch.testing.assert_close(context[0], context[1])
    torch.testing.assert_close(context[0], context[2])


@pytest.mark.parametrize("name", ["conditional-neural-process", "attentive-neural-process"])
def test_answers_are_values_and_positive_deviations(name):
    process = learner(name)
    answers = process.answer(support(4), torch.linspace(-5, 5, 20).unsqueeze(1))
    assert answers.shape == (20, 2)
    assert (answers[:, 1] >= LEAST_DEVIATION).all()
