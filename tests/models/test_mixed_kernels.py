"""Kernel ridge regression on mixtures of kernels: a client uses the parts that its task needs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Generator

from models.checkpoint import Spec, build
from models.encoders import Encoder, Identity
from models.learner import Support, full_mask
from models.learners.mixed_kernels import KERNELS, MixedKernels, rbf, tanimoto
from models.molecules import CENTRES, PROPERTIES, SCALES, row_type
from models.recipes import RECIPES
from models.testing.laws import LAWS, Case

MOLECULES = Spec("mixed-kernels", "molecule", {"kernels": ["cosine", "tanimoto", "rbf"]}, {
    "bits": 16, "centres": [1.0, 2.0], "scales": [1.0, 0.5], "widths": [8, 4], "dropout": 0.5,
})  # fmt: skip


class TwoParts(Identity):
    """Six numbers: two parts of three."""

    feature_dim, parts = 6, (3, 3)


def drawn(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 6, generator=Generator().manual_seed(seed))


def molecules(count: int, generator: Generator) -> torch.Tensor:
    return torch.rand(count, 18, generator=generator)


def with_graphs(count: int, generator: Generator) -> torch.Tensor:
    """Numbers, and chains of two to four carbons."""
    rows = np.zeros(count, row_type(16, 4))
    for row, length in zip(rows, torch.randint(2, 5, (count,), generator=generator), strict=True):
        row["atoms"][:length, 0] = 1
        row["bonds"][: length - 1] = [(i, i + 1, 1) for i in range(1, length)]
    graphs = [torch.from_numpy(rows[name].reshape(count, -1)).float() for name in ("atoms", "bonds")]
    return torch.cat([molecules(count, generator), *graphs], 1)


NUMBERS = replace(MOLECULES, learner_options={"kernels": ["tanimoto", "wide-rbf"], "kind": "regression"})
NUMBERS = replace(NUMBERS, encoder_options=NUMBERS.encoder_options | {"widths": []})


GRAPHS = replace(MOLECULES, learner_options={"kernels": ["cosine", "cosine", "tanimoto", "rbf"]})
GRAPHS = replace(GRAPHS, encoder_options=GRAPHS.encoder_options | {"atoms": 4})
CASES = {
    "classes": Case(lambda: build(MOLECULES), molecules),
    "numbers": Case(lambda: build(NUMBERS), molecules),
    "graphs": Case(lambda: build(GRAPHS), with_graphs),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_the_learners_of_molecules_obey(law, case):
    law(case)


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("part", [0, 1])
def test_a_task_of_one_part_is_learned_although_the_other_is_noise(part, kind):
    learner = MixedKernels(TwoParts(), ["rbf", "rbf"], kind).eval()
    rows, queries = drawn(60, 0), drawn(300, 1)
    truth, expected = rows[:, 3 * part], queries[:, 3 * part]
    targets, ways = ((truth > 0).long(), 2) if kind == "classification" else (truth[:, None], 0)
    answers = learner.answer(Support(rows, targets, full_mask(rows), ways), queries).detach()
    if kind == "classification":
        assert (answers.argmax(-1) == (expected > 0)).float().mean() > 0.85
    else:
        assert (answers[:, 0] - expected).square().mean() < 0.3 * expected.var()


def test_deviations_are_as_large_as_the_errors_and_grow_far_from_the_examples():
    learner = MixedKernels(TwoParts(), ["rbf", "wide-rbf"], "regression", strength=0.1).eval()
    rows, queries, noise = drawn(200, 0), drawn(500, 1), drawn(700, 2)[:, :1]
    values = (rows[:, :1].sin() * 30 + 3 * noise[:200], queries[:, :1].sin() * 30 + 3 * noise[200:])
    state = learner.adapt(Support(rows, values[0], full_mask(rows), 0))
    answers, deviations = learner.predict(state, queries).detach().chunk(2, -1)
    assert ((answers - values[1]) / deviations).std().item() == pytest.approx(1, abs=0.25)
    near, far = (learner.predict(state, each)[:, 1].mean() for each in (rows, 10 * queries))
    assert far > 1.5 * near


@pytest.mark.parametrize("values", [[7.0] * 6, [7.0]])
def test_equal_values_give_that_value_and_no_error(values):
    learner = MixedKernels(TwoParts(), ["rbf", "rbf"], "regression").eval()
    rows = drawn(len(values), 0)
    support = Support(rows, torch.tensor(values)[:, None], full_mask(rows), 0)
    answers = learner.answer(support, drawn(3, 1)).detach()
    assert_allclose(answers[:, 0], 7, atol=1e-4)
    assert (answers[:, 1] >= 0).all()
    assert_allclose(answers[:, 1], 0, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())
def test_kernels_are_symmetric_and_positive(kernel):
    rows = drawn(20, 0).double()
    rows[0] = 0
    gram = kernel(rows, rows)
    assert_allclose(gram, gram.T, atol=1e-12)
    assert torch.linalg.eigvalsh(gram).min() > -1e-9


def test_tanimoto_is_what_two_fingerprints_share_over_all_that_they_have():
    a, b = torch.tensor([[1.0, 1, 1, 0]]), torch.tensor([[0.0, 1, 1, 1]])
    assert tanimoto(a, b).item() == pytest.approx(0.5)
    assert tanimoto(a, a).item() == pytest.approx(1)


def test_rbf_is_of_the_distance():
    assert rbf(torch.tensor([[0.0, 0]]), torch.tensor([[3.0, 4]])).item() == pytest.approx(torch.tensor(-12.5).exp())


@pytest.mark.parametrize("kernels", [["rbf"], ["rbf", "city"], ["rbf"] * 3])
def test_a_kernel_for_each_part_is_needed(kernels):
    with pytest.raises(ValueError, match="for each of 2 parts"):
        MixedKernels(TwoParts(), kernels)


def test_the_parts_of_a_molecule_have_lengths_of_about_one():
    encoder: Encoder = build(RECIPES["molecules"].spec).encoder
    usual = torch.cat([torch.zeros(1024), torch.tensor(CENTRES) + torch.tensor(SCALES)])
    usual[:40] = 1.0
    lengths = [part.norm().item() for part in torch.split(encoder.eval()(usual[None])[0], list(encoder.parts))]
    assert_allclose(lengths, 1, atol=0.1)
    assert len(CENTRES) == len(SCALES) == len(PROPERTIES)


def test_molecules_without_a_fingerprint_give_finite_answers():
    learner = build(MOLECULES).eval()
    nothing = torch.zeros(4, 18)
    answers = learner.answer(Support(nothing, torch.tensor([0, 0, 1, 1]), full_mask(nothing), 2), nothing)
    assert answers.isfinite().all()
