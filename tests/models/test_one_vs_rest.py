"""Several labels for one example: a logistic regression for each class."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from models import one_vs_rest
from models.learner import Support

DIM, WAYS = 6, 3


def support(count: int = 12, seed: int = 0, *, names: bool = False) -> Support:
    """Each class has a direction; an example is the sum of those of its classes, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(count, WAYS, generator=generator) < 0.4
    points = labels.float() @ torch.eye(WAYS, DIM) + 0.2 * torch.randn(count, DIM, generator=generator)
    mask = torch.ones(count, dtype=torch.bool)
    return Support(points, labels, mask, WAYS, torch.eye(WAYS, DIM) if names else None)


def test_examples_get_their_labels_back():
    known = support(60)
    logits = one_vs_rest.predict(one_vs_rest.adapt(known), known.inputs)
    assert ((logits > 0) == known.targets).float().mean() > 0.9


def test_the_fit_is_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(one_vs_rest, "ITERATIONS", 5000)
    known = support(40)
    points = torch.nn.functional.pad(torch.nn.functional.normalize(known.inputs, dim=-1), (0, 1), value=1.0)
    ours = one_vs_rest._fit(points.double(), known.targets.double(), torch.ones(40, WAYS).double())
    for way in range(WAYS):
        model = LogisticRegression(C=1 / one_vs_rest.PENALTY, fit_intercept=False, tol=1e-9, max_iter=10000)
        model.fit(points.numpy(), known.targets[:, way].numpy())
        np.testing.assert_allclose(ours[:, way], model.coef_[0], atol=0.01)


def test_a_class_does_not_depend_on_the_others():
    known = support(20)
    alone = known._replace(targets=known.targets[:, :1], ways=1)
    weights, own = (one_vs_rest.adapt(each)[one_vs_rest.WEIGHTS] for each in (known, alone))
    torch.testing.assert_close(weights[:, :1], own)


def test_the_order_of_examples_and_classes_does_not_matter():
    known, order, classes = support(15, names=True), torch.randperm(15), torch.tensor([2, 0, 1])
    assert known.names is not None
    other = known._replace(
        inputs=known.inputs[order], targets=known.targets[order][:, classes], names=known.names[classes]
    )
    query = torch.randn(5, DIM)
    answers = one_vs_rest.predict(one_vs_rest.adapt(known), query)[:, classes]
    torch.testing.assert_close(one_vs_rest.predict(one_vs_rest.adapt(other), query), answers, atol=1e-4, rtol=1e-4)


def padded(known: Support, extra: int) -> Support:
    more = torch.nn.functional.pad
    return known._replace(
        inputs=more(known.inputs, (0, 0, 0, extra)),
        targets=more(known.targets, (0, 0, 0, extra)),
        mask=more(known.mask, (0, extra)),
    )


@pytest.mark.parametrize("names", [False, True])
def test_padding_changes_nothing(names):
    known = support(9, names=names)
    state, other = one_vs_rest.adapt(known), one_vs_rest.adapt(padded(known, 4))
    assert state.keys() == other.keys()
    for name, value in state.items():
        torch.testing.assert_close(other[name], value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("names", [False, True])
def test_a_batch_of_clients_is_one_client_at_a_time(names):
    clients = [support(9, seed, names=names) for seed in range(3)]
    stacked = Support(
        torch.stack([each.inputs for each in clients]),
        torch.stack([each.targets for each in clients]),
        torch.stack([each.mask for each in clients]),
        WAYS,
        torch.stack([each.names for each in clients]) if names else None,
    )
    together = one_vs_rest.adapt_many(stacked)
    for place, each in enumerate(clients):
        for name, value in one_vs_rest.adapt(each).items():
            torch.testing.assert_close(together[name][place], value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("labels", [torch.zeros(5, WAYS), torch.ones(5, WAYS)])
def test_classes_that_none_or_all_have_give_finite_answers(labels):
    known = support(5)._replace(targets=labels.bool())
    logits = one_vs_rest.predict(one_vs_rest.adapt(known), known.inputs)
    assert torch.isfinite(logits).all()
    assert ((logits > 0) == labels.bool()).all()


def test_names_help_where_they_fit_and_are_left_out_where_they_do_not():
    known = support(20, names=True)
    assert (one_vs_rest.adapt(known)["names"] > 0).any()
    assert known.names is not None
    wrong = known._replace(names=known.names.flip(0).roll(3, 1))
    assert (one_vs_rest.adapt(wrong)["names"] == 0).all()
