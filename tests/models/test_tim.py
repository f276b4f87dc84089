"""TIM against its objective written with loops, against torch's optimisers, and on queries with and without balance."""

import math
from statistics import fmean

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, State, Support
from models.learners.tim import TIM
from tests.models.learners import STRIDED, fresh, query, support

SPEC = Spec("tim", "conv4", {"eval_inner_steps": 5}, STRIDED)
over_alphas = pytest.mark.parametrize("alpha", [None, 2.0, 5.0])

BALANCED, UNBALANCED = [10, 10, 10, 10, 10], [24, 6, 6, 6, 6]


def identity(**options: object) -> TIM:
    """The encoder changes nothing."""
    return TIM(nn.Identity(), **options).double().eval()


def clouds(counts: list[int], seed: int, noise: float = 1.6) -> tuple[Support, Tensor, Tensor]:
    """One example of each class, so many queries of each, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(len(counts), 64, generator=generator, dtype=torch.float64)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    shown = means + noise * torch.randn(means.shape, generator=generator, dtype=torch.float64)
    asked = means[labels] + noise * torch.randn(len(labels), 64, generator=generator, dtype=torch.float64)
    everyone = torch.ones(len(counts), dtype=torch.bool)
    return Support(shown, torch.arange(len(counts)), everyone, len(counts)), asked, labels


def entropy_by_hand(distribution: list[float], alpha: float | None) -> float:
    if alpha is None:
        return -sum(p * math.log(p) for p in distribution)
    return (1 - sum(p**alpha for p in distribution)) / (alpha - 1)


@over_alphas
def test_the_objective_is_support_error_minus_marginal_plus_conditional_entropy(alpha):
    generator = torch.Generator().manual_seed(0)
    seen, asked = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (4, 5))
    labels = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 2]]
    shown, answers = seen.softmax(-1).tolist(), asked.softmax(-1).tolist()
    error = fmean(-math.log(shown[i][c]) for i, c in enumerate([0, 1, 2, 2]))
    mean = [fmean(answer[c] for answer in answers) for c in range(3)]
    conditional = fmean(entropy_by_hand(answer, alpha) for answer in answers)
    expected = 0.3 * error - 0.7 * entropy_by_hand(mean, alpha) + 0.2 * conditional
    found = identity(weights=(0.3, 0.7, 0.2), alpha=alpha).objective(seen, labels, asked)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def written_out(learner: TIM, state: State, asked: Tensor, prototypes: Tensor) -> Tensor:
    """The paper's loss, with Shannon's entropies, of prototypes that an optimiser of torch moves."""
    points = asked / asked.norm(dim=-1, keepdim=True)
    seen, answers = (
        (-learner.temperature / 2 * torch.cdist(each, prototypes) ** 2).softmax(-1)
        for each in (state["points"], points)
    )
    error = -(state["labels"] * seen.log()).sum(-1).mean()
    mean = answers.mean(0)
    return 0.1 * error + (mean * mean.log()).sum() - 0.1 * (answers * answers.log()).sum(-1).mean()


def optimised(learner: TIM, state: State, asked: Tensor, kind: type, lr: float, steps: int) -> Tensor:
    prototypes = state["prototypes"].clone().requires_grad_()
    optimiser = kind([prototypes], lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        written_out(learner, state, asked, prototypes).backward()
        optimiser.step()
    return prototypes.detach()


def test_the_prototypes_equal_those_of_torch_sgd():
    learner, (full, asked, _) = identity(inner_lr=0.2, eval_inner_steps=7), clouds(BALANCED, 0)
    state = learner.adapt(learner.encode_support(full))
    moved = optimised(learner, state, asked, torch.optim.SGD, 0.2, 7)
    assert_close(learner.moved(state, learner.encode(asked)), moved, rtol=0, atol=1e-9)
    logits = -7.5 * torch.cdist(learner.encode(asked), moved) ** 2
    assert_close(learner.predict(state, learner.encode(asked)), logits, rtol=0, atol=1e-6)


def test_few_steps_lower_the_objective_almost_as_far_as_a_thousand_steps_of_adam():
    learner, (full, asked, _) = identity(), clouds(BALANCED, 0)
    state = learner.adapt(learner.encode_support(full))
    ours, theirs = (
        written_out(learner, state, asked, prototypes).item()
        for prototypes in (
            learner.moved(state, learner.encode(asked)),
            optimised(learner, state, asked, torch.optim.Adam, 1e-4, 1000),
        )
    )
    start = written_out(learner, state, asked, state["prototypes"]).item()
    assert start - ours > 0.8 * (start - theirs)


def accuracies(counts: list[int], **options: object) -> tuple[float, float]:
    """Inductive and transductive, over ten tasks."""
    learner, alone, together = identity(**options), [], []
    for seed in range(10):
        full, asked, labels = clouds(counts, seed)
        state = learner.adapt(learner.encode_support(full))
        single = torch.cat([learner.predict(state, learner.encode(one.unsqueeze(0))) for one in asked])
        alone.append((single.argmax(-1) == labels).double().mean().item())
        together.append((learner.predict(state, learner.encode(asked)).argmax(-1) == labels).double().mean().item())
    return fmean(alone), fmean(together)


def test_queries_of_all_classes_alike_help_each_other():
    inductive, transductive = accuracies(BALANCED)
    assert transductive > inductive + 0.05


def test_queries_without_balance_harm_each_other_and_less_so_with_alpha():
    inductive, shannon = accuracies(UNBALANCED)
    _, tsallis = accuracies(UNBALANCED, alpha=7.0)
    assert shannon < inductive - 0.1
    assert tsallis > inductive


@over_alphas
def test_fewer_queries_than_classes_do_not_move_the_prototypes(alpha):
    learner, (full, asked, _) = identity(alpha=alpha), clouds(BALANCED, 0)
    state = learner.adapt(learner.encode_support(full))
    still = learner.logits(learner.encode(asked[:5]), state["prototypes"])
    assert_close(learner.predict(state, learner.encode(asked[:4])), still[:4], rtol=0, atol=0)
    assert not torch.allclose(learner.predict(state, learner.encode(asked[:5])), still, atol=1e-3)


def test_very_confident_answers_stay_finite():
    learner, full = TIM(nn.Identity(), temperature=1e4).eval(), clouds(BALANCED, 0)[0]
    full = full._replace(inputs=full.inputs.float())
    assert learner.answer(full, full.inputs[:1].expand(6, -1)).isfinite().all()


def test_in_training_nothing_moves_and_the_encoder_learns_as_a_prototypical_network():
    torch.manual_seed(0)
    learner, asked = build(SPEC).train(), support(SPEC, [2, 2], 1)
    full = support(SPEC, [1, 2])
    state = learner.adapt(learner.encode_support(full))
    still = learner.logits(learner.encode(asked.inputs), state["prototypes"])
    assert_close(learner.predict(state, learner.encode(asked.inputs)), still)
    loss = learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0)
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, list(learner.parameters())))


def test_answers_depend_on_the_other_queries_but_not_on_their_order():
    learner, asked = fresh(SPEC, torch.float64), query(SPEC, 4, dtype=torch.float64)
    state = learner.adapt(learner.encode_support(support(SPEC, [1, 2, 3], dtype=torch.float64)))
    answers = learner.predict(state, learner.encode(asked))
    assert_close(learner.predict(state, learner.encode(asked.flip(0))).flip(0), answers, rtol=0, atol=1e-9)
    assert not torch.allclose(learner.predict(state, learner.encode(asked[:3])), answers[:3])
