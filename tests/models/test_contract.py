"""The laws of a learner (DESIGN.md), each one test over the table. Passing them is the ticket into models/learners/.

Law 10, that it learns, is in test_learning.py.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch.testing import assert_close

from models.checkpoint import Spec
from models.datasets.episode import stack
from models.functional import adapt_many, predict_many
from models.learner import Learner, State, Support
from models.learners import LEARNERS
from tests.models.learners import TABLE, clients_episode, fresh, is_regression, padded, query, reordered, support

over_all = pytest.mark.parametrize("spec", TABLE.values(), ids=TABLE.keys())
a_few = settings(max_examples=5, deadline=None, derandomize=True)
shots_of_classes = st.lists(st.integers(1, 3), min_size=2, max_size=5)
seeds = st.integers(0, 2**16)

EXACT = {"rtol": 0, "atol": 0}
TIGHT = {"rtol": 1e-9, "atol": 1e-9}
"""For float64: all that is left is the order of additions."""


def in_float64(spec: Spec, shots: list[int], seed: int) -> tuple[Learner, Support, torch.Tensor]:
    return (
        fresh(spec, torch.float64),
        support(spec, shots, seed, torch.float64),
        query(spec, 4, seed + 1, torch.float64),
    )


def test_every_learner_is_in_the_table():
    assert {spec.learner for spec in TABLE.values()} == set(LEARNERS)


@pytest.mark.parametrize("learner", LEARNERS.values(), ids=LEARNERS.keys())
def test_every_learner_names_its_algorithm_and_its_paper(learner):
    assert learner.algorithm
    assert "arXiv:" in learner.paper


@over_all
@a_few
@given(shots=shots_of_classes, seed=seeds)
def test_law_1_a_state_is_a_flat_dict_of_finite_contiguous_tensors_that_own_their_memory(spec, shots, seed):
    learner = fresh(spec)
    state = learner.adapt(support(spec, shots, seed))
    assert type(state) is dict
    for name, tensor in state.items():
        assert type(name) is str
        assert tensor.isfinite().all()
        assert tensor.is_contiguous()
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    memory = [tensor.untyped_storage().data_ptr() for tensor in [*state.values(), *learner.state_dict().values()]]
    assert len(set(memory)) == len(memory)


@over_all
def test_law_2_adapting_another_client_changes_nothing(spec):
    learner, asked = fresh(spec), query(spec, 4)
    undisturbed = learner.predict(learner.adapt(support(spec, [1, 2, 3])), asked)
    mine = learner.adapt(support(spec, [1, 2, 3]))
    theirs = learner.adapt(support(spec, [2, 2], seed=9))
    learner.predict(theirs, asked)
    assert_close(learner.predict(mine, asked), undisturbed, **EXACT)


@over_all
def test_law_3_predicting_twice_gives_the_same_answer(spec):
    learner, asked = fresh(spec), query(spec, 4)
    state = learner.adapt(support(spec, [1, 2]))
    assert_close(learner.predict(state, asked), learner.predict(state, asked), **EXACT)


@over_all
def test_law_4_neither_call_writes_to_the_learner_or_to_its_arguments(spec):
    learner, given_support, asked = fresh(spec), support(spec, [1, 2]), query(spec, 4)
    weights = {name: value.clone() for name, value in learner.state_dict().items()}
    state = learner.adapt(given_support)
    kept = {name: value.clone() for name, value in state.items()}
    learner.predict(state, asked)
    assert_close(dict(learner.state_dict()), weights, **EXACT)
    assert_close(state, kept, **EXACT)
    assert_close(given_support, support(spec, [1, 2]), **EXACT)
    assert_close(asked, query(spec, 4), **EXACT)


@over_all
@a_few
@given(shots=shots_of_classes, seed=seeds)
def test_law_5_the_order_of_the_support_does_not_matter(spec, shots, seed):
    learner, full, asked = in_float64(spec, shots, seed)
    if learner.order_sensitive:
        pytest.skip("declares that the order matters")
    order = torch.randperm(len(full.mask), generator=torch.Generator().manual_seed(seed))
    answers = learner.predict(learner.adapt(full), asked)
    assert_close(learner.predict(learner.adapt(reordered(full, order)), asked), answers, **TIGHT)


@over_all
@a_few
@given(shots=shots_of_classes, seed=seeds)
def test_law_6_permuting_the_classes_permutes_the_outputs_unless_the_head_is_fixed(spec, shots, seed):
    learner, full, asked = in_float64(spec, shots, seed)
    answers = learner.predict(learner.adapt(full), asked)
    if is_regression(spec) or learner.max_ways is not None:
        assert answers.shape[1] == ((learner.max_ways and len(shots)) or 1)
        return
    renamed = torch.randperm(len(shots), generator=torch.Generator().manual_seed(seed))
    swapped = learner.adapt(full._replace(targets=renamed[full.targets]))
    assert_close(learner.predict(swapped, asked)[:, renamed], answers, **TIGHT)


@over_all
@a_few
@given(shots=shots_of_classes, rows=st.integers(1, 4), seed=seeds)
def test_law_7_padding_under_a_mask_changes_nothing(spec, shots, rows, seed):
    learner, full, asked = in_float64(spec, shots, seed)
    answers = learner.predict(learner.adapt(full), asked)
    behind = padded(full, rows, seed)
    mixed = reordered(behind, torch.randperm(len(behind.mask), generator=torch.Generator().manual_seed(seed)))
    assert_close(learner.predict(learner.adapt(behind), asked), answers, **TIGHT)
    if not learner.order_sensitive:
        assert_close(learner.predict(learner.adapt(mixed), asked), answers, **TIGHT)


@over_all
def test_law_8_a_batch_of_clients_equals_one_at_a_time(spec):
    learner = fresh(spec, torch.float64)
    episodes = [clients_episode(spec, shots, seed) for seed, shots in enumerate([[1, 2, 1], [3, 1, 2], [1, 1, 1]])]
    together = stack(episodes)
    states = adapt_many(learner, together.support)
    answers = predict_many(learner, states, together.query)
    for client, episode in enumerate(episodes):
        alone = learner.adapt(episode.support)
        assert_close(client_of(states, client), alone, **TIGHT)
        assert_close(answers[client], learner.predict(alone, episode.query), **TIGHT)


def client_of(states: State, client: int) -> State:
    return {name: tensor[client] for name, tensor in states.items()}


@over_all
@a_few
@given(shots=shots_of_classes, seed=seeds)
def test_law_8_a_query_alone_equals_the_query_among_others(spec, shots, seed):
    learner, full, asked = in_float64(spec, shots, seed)
    if learner.transductive:
        asked = asked[: full.ways - 1]  # too few to be judged together
    state = learner.adapt(full)
    alone = torch.cat([learner.predict(state, one.unsqueeze(0)) for one in asked])
    assert_close(learner.predict(state, asked), alone, **TIGHT)


@over_all
@a_few
@given(shots=shots_of_classes, seed=seeds)
def test_law_8_the_order_of_queries_changes_no_answer(spec, shots, seed):
    learner, full, asked = in_float64(spec, shots, seed)
    state = learner.adapt(full)
    assert_close(learner.predict(state, asked.flip(0)).flip(0), learner.predict(state, asked), **TIGHT)


@over_all
def test_law_9_a_state_gives_the_same_answer_through_safetensors_and_back(spec):
    learner, asked = fresh(spec), query(spec, 4)
    state = learner.adapt(support(spec, [1, 2, 3]))
    assert_close(learner.predict(load(save(state)), asked), learner.predict(state, asked), **EXACT)
