"""Laws of single examples: their weights, and what they contribute to an answer."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from models.datasets.episode import stack
from models.explanations import NOTHING, contrasted, margins_without
from models.functional import adapt_many
from models.learner import Episode, Learner, Support
from models.testing.case import QUERIES, Case, nearly, padded, reordered


def weights_of_one_change_nothing(case: Case) -> None:
    """For learners that take weights."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples else ():
        weighted = support._replace(weights=torch.ones(len(support.mask), dtype=support.inputs.dtype))
        nearly(learner.predict(learner.adapt(weighted), query), learner.predict(learner.adapt(support), query))


def an_example_of_weight_zero_is_not_there(case: Case) -> None:
    """Also in a batch of clients with other weights. For learners that take weights."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples else ():
        behind = padded(support, 2)
        counts = torch.linspace(1, 0.2, len(support.mask), dtype=torch.float64)
        weighted = behind._replace(mask=torch.ones_like(behind.mask), weights=torch.cat([counts, counts.new_zeros(2)]))
        expected = learner.predict(learner.adapt(support._replace(weights=counts)), query)
        nearly(learner.predict(learner.adapt(weighted), query), expected)
        both = [weighted, behind._replace(weights=torch.ones_like(weighted.counts(counts)))]
        together = stack([Episode(one, query, query.new_zeros(QUERIES)) for one in both]).support
        together = together._replace(weights=torch.stack([one.counts(counts) for one in both]))
        states = adapt_many(learner, together)
        nearly(learner.predict({name: each[0] for name, each in states.items()}, query), expected)


def a_smaller_weight_changes_the_answers(case: Case) -> None:
    """The learner does not ignore weights. For learners that take them."""
    learner = case.served()
    for support, query in case.tasks(learner) if learner.weighted_examples and not learner.max_ways else ():
        if len(support.mask) > support.ways:  # the mean of one example is that example
            counts = torch.linspace(1, 0.2, len(support.mask), dtype=support.inputs.dtype)
            weighted = learner.predict(learner.adapt(support._replace(weights=counts)), query)
            assert not torch.allclose(weighted, learner.predict(learner.adapt(support), query), rtol=1e-6)


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
