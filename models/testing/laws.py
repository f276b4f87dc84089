"""The laws that every learner obeys, as functions that a test suite calls. They need torch only.

A package that adds a learner runs them over it like this:

    import pytest, torch
    from models.checkpoint import Spec, build
    from models.testing.laws import LAWS, Case

    CASE = Case(
        learner=lambda: build(Spec("my-learner", "conv4")),
        inputs=lambda count, generator: torch.randn(count, 1, 28, 28, generator=generator),
    )

    @pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
    def test_my_learner_obeys(law):
        law(CASE)

Each law raises AssertionError where the learner breaks it. A learner may declare exceptions by its attributes:
`order_sensitive`, `transductive` and `max_ways` (a fixed head).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from safetensors.torch import load, save
from torch import Generator, Tensor
from torch.testing import assert_close

from models.datasets.episode import stack
from models.explanations import NOTHING, contrasted, margins_without
from models.functional import adapt_many, encode_many, predict_many
from models.learner import Episode, Kind, Learner, State, Support

SHOTS: tuple[list[int], ...] = ([1, 1], [1, 2, 3], [3, 1, 2, 1, 2])
"""Examples of each class, in the support sets that the laws try."""
SAME_SIZE: tuple[list[int], ...] = ([1, 2], [3, 1], [1, 1])
"""Support sets for a batch of clients: all have the same number of classes."""
QUERIES = 4

_same = partial(assert_close, rtol=0.0, atol=0.0)
_nearly = partial(assert_close, rtol=1e-9, atol=1e-9)
"""In float64: only the order of additions may differ."""


@dataclass(frozen=True)
class Case:
    """A learner and the inputs that it takes.

    Args:
        learner: Makes a learner, with any weights.
        inputs: Makes `count` random inputs (count, *input) from a generator.
        outputs: Numbers in one target, for regression.
    """

    learner: Callable[[], Learner]
    inputs: Callable[[int, Generator], Tensor]
    outputs: int = 1

    def served(self, dtype: torch.dtype = torch.float64) -> Learner:
        """The learner as it is served: in eval mode, its weights frozen."""
        return self.learner().to(dtype).eval().requires_grad_(False)

    def drawn(self, count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Random inputs (count, *input); floats have this dtype."""
        inputs = self.inputs(count, Generator().manual_seed(seed))
        return inputs.to(dtype) if inputs.is_floating_point() else inputs

    def features(self, learner: Learner, count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """The features (count, *features) of random inputs."""
        return learner.encode(self.drawn(count, seed, dtype))

    def support(self, learner: Learner, shots: Sequence[int], seed: int, dtype: torch.dtype = torch.float64) -> Support:
        """An encoded support set with `shots[c]` examples of each class c, or as many points in all for regression."""
        n = sum(shots)
        features, mask = self.features(learner, n, seed, dtype), torch.ones(n, dtype=torch.bool)
        if learner.kind is Kind.REGRESSION:
            targets = torch.randn(n, self.outputs, generator=Generator().manual_seed(seed + 1), dtype=dtype)
            return Support(features, targets, mask, 0)
        return Support(features, torch.arange(len(shots)).repeat_interleave(torch.tensor(shots)), mask, len(shots))

    def tasks(self, learner: Learner) -> Iterator[tuple[Support, Tensor]]:
        """Encoded support sets of several shapes, and the features of queries."""
        for seed, shots in enumerate(SHOTS):
            if len(shots) <= (learner.max_ways or len(shots)):
                yield self.support(learner, shots, seed), self.features(learner, QUERIES, seed + 100)


Law = Callable[[Case], None]
LAWS: dict[str, Law] = {}
"""All laws, by what they state."""


def _law(check: Law) -> Law:
    LAWS[check.__name__] = check
    return check


def padded(support: Support, rows: int, seed: int = 2) -> Support:
    """The support set with `rows` masked rows behind it, which hold other examples' inputs, times 100 if floats."""
    chosen = torch.randint(len(support.mask), (rows,), generator=Generator().manual_seed(seed))
    inputs = support.inputs[chosen]
    inputs = 100 * inputs if inputs.is_floating_point() else inputs
    targets = torch.arange(rows) % support.ways if support.ways else 100 * torch.ones_like(support.targets[chosen])
    return Support(
        torch.cat([support.inputs, inputs]),
        torch.cat([support.targets, targets]),
        torch.cat([support.mask, torch.zeros(rows, dtype=torch.bool)]),
        support.ways,
    )


def reordered(support: Support, order: Tensor) -> Support:
    """The support set with its examples in another order."""
    return Support(support.inputs[order], support.targets[order], support.mask[order], support.ways)


@_law
def the_features_of_an_input_do_not_depend_on_the_others(case: Case) -> None:
    """Alone, in a batch, in any order and in chunks."""
    learner, inputs = case.served(), case.drawn(5, 0)
    features = learner.encode(inputs)
    _nearly(torch.cat([learner.encode(one.unsqueeze(0)) for one in inputs]), features)
    _nearly(learner.encode(inputs.flip(0)).flip(0), features)
    _nearly(encode_many(learner, inputs, chunk=2), features)


@_law
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


@_law
def adapting_another_client_changes_nothing(case: Case) -> None:
    """Adapt A, adapt B, predict A gives the answer of adapt A, predict A."""
    learner = case.served()
    support, query = case.support(learner, [1, 2], 0), case.features(learner, QUERIES, 1)
    expected = learner.predict(learner.adapt(support), query)
    mine, other = learner.adapt(support), learner.adapt(case.support(learner, [2, 2], 9))
    learner.predict(other, query)
    _same(learner.predict(mine, query), expected)


@_law
def predicting_twice_gives_the_same_answer(case: Case) -> None:
    """To the last bit."""
    learner = case.served()
    for support, query in case.tasks(learner):
        state = learner.adapt(support)
        _same(learner.predict(state, query), learner.predict(state, query))


@_law
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
    _same(dict(learner.state_dict()), weights)
    _same(inputs, case.drawn(QUERIES, 1))
    _same(given, support)
    _same(state, kept)
    _same(query, asked)


@_law
def the_order_of_the_support_does_not_matter(case: Case) -> None:
    """Unless the learner declares `order_sensitive`."""
    learner = case.served()
    if learner.order_sensitive:
        return
    for support, query in case.tasks(learner):
        order = torch.randperm(len(support.mask), generator=Generator().manual_seed(0))
        answers = learner.predict(learner.adapt(support), query)
        _nearly(learner.predict(learner.adapt(reordered(support, order)), query), answers)


@_law
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
            _nearly(learner.predict(state, query)[:, renamed], answers)


@_law
def padding_under_the_mask_changes_nothing(case: Case) -> None:
    """Behind the examples, and between them unless the learner is `order_sensitive`."""
    learner = case.served()
    for rows, (support, query) in enumerate(case.tasks(learner), 1):
        answers, behind = learner.predict(learner.adapt(support), query), padded(support, rows)
        _nearly(learner.predict(learner.adapt(behind), query), answers)
        if not learner.order_sensitive:
            mixed = reordered(behind, torch.randperm(len(behind.mask), generator=Generator().manual_seed(2)))
            _nearly(learner.predict(learner.adapt(mixed), query), answers)


@_law
def a_batch_of_clients_equals_one_client_at_a_time(case: Case) -> None:
    """The support sets are padded."""
    learner = case.served()
    clients = [_client(case, learner, shots, seed) for seed, shots in enumerate(SAME_SIZE)]
    together = stack(clients)
    states = adapt_many(learner, together.support)
    answers = predict_many(learner, states, together.query)
    for index, client in enumerate(clients):
        alone = learner.adapt(client.support)
        _nearly({name: tensor[index] for name, tensor in states.items()}, alone)
        _nearly(answers[index], learner.predict(alone, client.query))


@_law
def a_query_alone_equals_the_query_among_others(case: Case) -> None:
    """A transductive learner obeys it for fewer queries than classes."""
    learner = case.served()
    for support, query in case.tasks(learner):
        some, state = query[: support.ways - 1] if learner.transductive else query, learner.adapt(support)
        alone = torch.cat([learner.predict(state, one.unsqueeze(0)) for one in some])
        _nearly(learner.predict(state, some), alone)


@_law
def the_order_of_queries_changes_no_answer(case: Case) -> None:
    """Transductive learners included."""
    learner = case.served()
    for support, query in case.tasks(learner):
        state = learner.adapt(support)
        _nearly(learner.predict(state, query.flip(0)).flip(0), learner.predict(state, query))


@_law
def a_state_gives_the_same_answer_through_safetensors_and_back(case: Case) -> None:
    """To the last bit, in float32, as it is served."""
    learner = case.served(torch.float32)
    support = case.support(learner, [1, 2], 0, torch.float32)
    query, state = case.features(learner, QUERIES, 1, torch.float32), learner.adapt(support)
    _same(learner.predict(load(save(state)), query), learner.predict(state, query))


@_law
def what_examples_contribute_adds_up_to_the_answer(case: Case) -> None:
    """For learners that say what their explanations add up to."""
    learner = case.served()
    for support, query in _weighted(case, learner) if learner.explains else ():
        contrast = contrasts(learner, support, case.outputs)
        found, answers = learner.explain(support, query, contrast), learner.predict(learner.adapt(support), query)
        if learner.explains == "votes":
            answers = answers.softmax(-1)
        total = found.examples.sum(-1) + found.base + (0 if found.names is None else found.names.sum(-1))
        assert_close(total, contrasted(answers, contrast), rtol=1e-6, atol=1e-6)


@_law
def weights_of_one_change_nothing(case: Case) -> None:
    """For learners that take weights."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples else ():
        weighted = support._replace(weights=torch.ones(len(support.mask), dtype=support.inputs.dtype))
        _nearly(learner.predict(learner.adapt(weighted), query), learner.predict(learner.adapt(support), query))


@_law
def an_example_of_weight_zero_is_not_there(case: Case) -> None:
    """Also in a batch of clients with other weights. For learners that take weights."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples else ():
        behind = padded(support, 2)
        counts = torch.linspace(1, 0.2, len(support.mask), dtype=torch.float64)
        weighted = behind._replace(mask=torch.ones_like(behind.mask), weights=torch.cat([counts, counts.new_zeros(2)]))
        expected = learner.predict(learner.adapt(support._replace(weights=counts)), query)
        _nearly(learner.predict(learner.adapt(weighted), query), expected)
        both = [weighted, behind._replace(weights=torch.ones_like(weighted.counts(counts)))]
        together = stack([Episode(one, query, query.new_zeros(QUERIES)) for one in both]).support
        together = together._replace(weights=torch.stack([one.counts(counts) for one in both]))
        states = adapt_many(learner, together)
        _nearly(learner.predict({name: each[0] for name, each in states.items()}, query), expected)


@_law
def a_smaller_weight_changes_the_answers(case: Case) -> None:
    """The learner does not ignore weights. For learners that take them."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples and not learner.max_ways else ():
        if len(support.mask) > support.ways:  # the mean of one example is that example
            counts = torch.linspace(1, 0.2, len(support.mask), dtype=support.inputs.dtype)
            weighted = learner.predict(learner.adapt(support._replace(weights=counts)), query)
            assert not torch.allclose(weighted, learner.predict(learner.adapt(support), query), rtol=1e-6)


@_law
def reordering_the_support_reorders_what_its_examples_contribute(case: Case) -> None:
    """Whether that is exact or what changes when an example is left out; unless the learner is `order_sensitive`."""
    learner = case.served()
    for support, query in () if learner.order_sensitive else case.tasks(learner):
        contrast = contrasts(learner, support, case.outputs)
        order = torch.randperm(len(support.mask), generator=Generator().manual_seed(0))
        before, after = (weights(learner, each, query, contrast) for each in (support, reordered(support, order)))
        assert_close(after, before[:, order], rtol=1e-6, atol=1e-6, equal_nan=True)


def contrasts(learner: Learner, support: Support, outputs: int) -> Tensor:
    """For each query, the difference of two outputs; of one output for a single one."""
    count = support.ways or outputs
    contrast = support.inputs.new_zeros(QUERIES, count)
    for row in range(QUERIES):
        contrast[row, (row + 1) % count] = -1
        contrast[row, row % count] = 1
    return contrast


def weights(learner: Learner, support: Support, query: Tensor, contrast: Tensor) -> Tensor:
    """What each example contributes to each query (q, n)."""
    if learner.explains:
        return learner.explain(support, query, contrast).examples
    places = torch.arange(NOTHING, len(support.mask))
    whole, others = margins_without(learner, support, query, contrast, places).tensor_split([1])
    return (whole - others).T


def _weighted(case: Case, learner: Learner) -> Iterator[tuple[Support, Tensor]]:
    """The tasks, and the same with weights if the learner takes them."""
    for support, query in case.tasks(learner):
        yield support, query
        if learner.weighted_examples:
            yield support._replace(weights=torch.linspace(1, 0.2, len(support.mask), dtype=support.inputs.dtype)), query


def _client(case: Case, learner: Learner, shots: Sequence[int], seed: int) -> Episode:
    """Six rows, the last ones padding, and some queries."""
    support, query = case.support(learner, shots, seed), case.features(learner, QUERIES, seed + 100)
    return Episode(padded(support, 6 - sum(shots)), query, query.new_zeros(QUERIES))


def _copy(tensors: State) -> State:
    return {name: tensor.clone() for name, tensor in tensors.items()}
