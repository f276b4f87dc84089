"""Laws of features, states and answers."""

from collections.abc import Sequence

import torch
from safetensors.torch import load, save
from torch import Generator

from models.datasets.episode import stack
from models.functional import adapt_many, encode_many, predict_many
from models.learner import Episode, Learner, State
from models.testing.case import QUERIES, Case, nearly, padded, reordered, same

SAME_SIZE: tuple[list[int], ...] = ([1, 2], [3, 1], [1, 1])
"""Support sets for a batch of clients: all have the same number of classes."""


def the_features_of_an_input_do_not_depend_on_the_others(case: Case) -> None:
    """Alone, in a batch, in any order and in chunks."""
    learner, inputs = case.served(), case.drawn(5, 0)
    features = learner.encode(inputs)
    nearly(torch.cat([learner.encode(one.unsqueeze(0)) for one in inputs]), features)
    nearly(learner.encode(inputs.flip(0)).flip(0), features)
    nearly(encode_many(learner, inputs, chunk=2), features)


def a_state_is_a_flat_dict_of_finite_contiguous_tensors_that_own_their_memory(case: Case) -> None:
    """A state can therefore be stored, and shares no memory with the learner, the support set or another state."""
    learner = case.served()
    for support, _ in case.tasks(learner):
        state = learner.adapt(support)
        assert type(state) is dict, "a state is a dict"
        for name, tensor in state.items():
            assert type(name) is str, f"{name!r} is no string"
            assert tensor.isfinite().all(), f"{name} is not finite"
            assert tensor.is_contiguous(), f"{name} is not contiguous"
            assert tensor.untyped_storage().nbytes() == tensor.nbytes, f"{name} is a view"
        tensors = [*state.values(), *learner.state_dict().values()]
        memory = [tensor.untyped_storage().data_ptr() for tensor in tensors]
        assert len(set(memory)) == len(memory), "two tensors share memory"


def adapting_another_client_changes_nothing(case: Case) -> None:
    """Adapt A, adapt B, predict A gives the answer of adapt A, predict A."""
    learner = case.served()
    support, query = case.support(learner, [1, 2], 0), case.features(learner, QUERIES, 1)
    expected = learner.predict(learner.adapt(support), query)
    mine, other = learner.adapt(support), learner.adapt(case.support(learner, [2, 2], 9))
    learner.predict(other, query)
    same(learner.predict(mine, query), expected)


def predicting_twice_gives_the_same_answer(case: Case) -> None:
    """To the last bit."""
    learner = case.served()
    for support, query in case.tasks(learner):
        state = learner.adapt(support)
        same(learner.predict(state, query), learner.predict(state, query))


def no_call_writes_to_the_learner_or_to_its_arguments(case: Case) -> None:
    """Weights, buffers, the support set, the state and the query stay unchanged."""
    learner, inputs = case.served(), case.drawn(QUERIES, 1)
    weights = _copy(dict(learner.state_dict()))
    query = learner.encode(inputs)
    support = case.support(learner, [1, 2], 0)
    given = support._replace(inputs=support.inputs.clone(), targets=support.targets.clone(), mask=support.mask.clone())
    state = learner.adapt(given)
    kept, asked = _copy(state), query.clone()
    learner.predict(state, query)
    same(dict(learner.state_dict()), weights)
    same(inputs, case.drawn(QUERIES, 1))
    same(given, support)
    same(state, kept)
    same(query, asked)


def the_order_of_the_support_does_not_matter(case: Case) -> None:
    """Unless the learner declares `order_sensitive`."""
    learner = case.served()
    if learner.order_sensitive:
        return
    for support, query in case.tasks(learner):
        order = torch.randperm(len(support.mask), generator=Generator().manual_seed(0))
        answers = learner.predict(learner.adapt(support), query)
        nearly(learner.predict(learner.adapt(reordered(support, order)), query), answers)


def permuting_the_classes_permutes_the_outputs(case: Case) -> None:
    """Unless the head is fixed (`max_ways`), which only has as many outputs as there are classes."""
    learner = case.served()
    for support, query in case.tasks(learner):
        answers = learner.predict(learner.adapt(support), query)
        outputs = case.outputs * (2 if learner.deviations else 1)
        assert answers.shape == (QUERIES, support.ways or outputs)
        if support.ways and learner.max_ways is None:
            renamed = torch.randperm(support.ways, generator=Generator().manual_seed(1))
            state = learner.adapt(support._replace(targets=renamed[support.targets]))
            nearly(learner.predict(state, query)[:, renamed], answers)


def padding_under_the_mask_changes_nothing(case: Case) -> None:
    """Behind the examples, and between them unless the learner is `order_sensitive`."""
    learner = case.served()
    for rows, (support, query) in enumerate(case.tasks(learner), 1):
        answers, behind = learner.predict(learner.adapt(support), query), padded(support, rows)
        nearly(learner.predict(learner.adapt(behind), query), answers)
        if not learner.order_sensitive:
            mixed = reordered(behind, torch.randperm(len(behind.mask), generator=Generator().manual_seed(2)))
            nearly(learner.predict(learner.adapt(mixed), query), answers)


def a_batch_of_clients_equals_one_client_at_a_time(case: Case) -> None:
    """The support sets are padded."""
    learner = case.served()
    clients = [_client(case, learner, shots, seed) for seed, shots in enumerate(SAME_SIZE)]
    together = stack(clients)
    states = adapt_many(learner, together.support)
    answers = predict_many(learner, states, together.query)
    for index, client in enumerate(clients):
        alone = learner.adapt(client.support)
        nearly({name: tensor[index] for name, tensor in states.items()}, alone)
        nearly(answers[index], learner.predict(alone, client.query))


def a_query_alone_equals_the_query_among_others(case: Case) -> None:
    """A transductive learner obeys it for fewer queries than classes."""
    learner = case.served()
    for support, query in case.tasks(learner):
        some, state = query[: support.ways - 1] if learner.transductive else query, learner.adapt(support)
        alone = torch.cat([learner.predict(state, one.unsqueeze(0)) for one in some])
        nearly(learner.predict(state, some), alone)


def the_order_of_queries_changes_no_answer(case: Case) -> None:
    """Transductive learners included."""
    learner = case.served()
    for support, query in case.tasks(learner):
        state = learner.adapt(support)
        nearly(learner.predict(state, query.flip(0)).flip(0), learner.predict(state, query))


def a_state_gives_the_same_answer_through_safetensors_and_back(case: Case) -> None:
    """To the last bit, in float32, as it is served."""
    learner = case.served(torch.float32)
    support = case.support(learner, [1, 2], 0, torch.float32)
    query, state = case.features(learner, QUERIES, 1, torch.float32), learner.adapt(support)
    same(learner.predict(load(save(state)), query), learner.predict(state, query))


def _client(case: Case, learner: Learner, shots: Sequence[int], seed: int) -> Episode:
    """Six rows, the last ones padding, and some queries."""
    support, query = case.support(learner, shots, seed), case.features(learner, QUERIES, seed + 100)
    return Episode(padded(support, 6 - sum(shots)), query, query.new_zeros(QUERIES))


def _copy(tensors: State) -> State:
    return {name: tensor.clone() for name, tensor in tensors.items()}
