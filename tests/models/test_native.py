"""The native kernel against torch: the same features, gradients and adapted clients, and when the kernel is used."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call
from torch.testing import assert_close

from models import native
from models.encoders.conv4 import Conv4
from models.functional import adapt_many, predict_many
from models.learner import Learner, State, Support
from models.losses import cross_entropy
from models.native import build
from models.testing.case import padded
from tests.models.learners import TABLE, fresh, query, support

ROOT = Path(__file__).parents[2]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
STRIDED = [
    name
    for name, spec in TABLE.items()
    if spec.encoder_options.get("reduction") == "stride" and spec.learner != "relation"  # which compares maps
]
DESCENDING = {
    "maml", "maml-any-ways", "maml-first-order", "reptile", "reptile-any-ways", "maml++", "maml++-any-ways",
    "proto-maml",
}  # fmt: skip
"""Learners with their whole inner loop in the kernel."""
STEPPING = {"meta-sgd", "meta-sgd-any-ways", "alfa", "alfa-any-ways"}
"""Learners with only their gradients in the kernel, because their updates are not plain descent."""
CASES = {
    "as in the zoo": {"width": 64, "ways": 5, "shots": 1, "centred": True},
    "large scale": {"width": 64, "ways": 3, "shots": 2, "centred": True, "scale": 4.0},
    "not centred": {"width": 32, "ways": 2, "shots": 4, "scale": 0.5},
    "colours": {"width": 16, "ways": 7, "shots": 1, "channels": 3},
    "odd columns": {"width": 80, "ways": 1, "shots": 3},
    "padding": {"width": 16, "ways": 20, "shots": 1, "padding": 5, "centred": True},
}
over_cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
needs_kernel = pytest.mark.skipif(build.library() is None, reason="no C++ compiler, or HANDFUL_NATIVE=0")


class Problem:
    """A random encoder, head and support."""

    def __init__(self, width, ways, shots, channels=1, padding=0, seed=0, **options):
        torch.manual_seed(seed)
        self.encoder = Conv4(channels, width, "stride", "group", **options).eval().requires_grad_(False)
        for weight in self.encoder.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        self.weights = dict(self.encoder.named_parameters())
        self.head = {"weight": 0.1 * torch.randn(ways, width), "bias": 0.1 * torch.randn(ways)}
        targets = torch.arange(ways).repeat(shots)
        mask = torch.randperm(len(targets)) >= padding
        self.support = Support(torch.rand(len(targets), channels, 28, 28), targets, mask, ways)

    def loss(self, weights: State, head: State) -> Tensor:
        inputs = self.support.inputs.to(head["bias"].dtype)
        logits = F.linear(functional_call(self.encoder, weights, (inputs,)), **head)
        return cross_entropy(logits, self.support.targets, self.support.mask)


def off(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)


def calls(monkeypatch) -> list[str]:
    """The names of the kernel functions that are called from now on."""
    asked: list[str] = []
    for name in ("features", "gradients", "descent"):
        original = getattr(native, name)

        def noted(*arguments, name=name, original=original):
            asked.append(name)
            return original(*arguments)

        monkeypatch.setattr(native, name, noted)
    return asked


@needs_kernel
@over_cases
def test_features_are_those_of_torch(case, monkeypatch):
    problem = Problem(**case)
    found = native.features(problem.encoder, problem.weights, problem.support.inputs)
    off(monkeypatch)
    assert_close(found, problem.encoder(problem.support.inputs), **CLOSE)


@needs_kernel
@over_cases
def test_gradients_are_those_of_torch_in_double_precision(case):
    problem = Problem(**case)
    found = native.gradients(problem.encoder, problem.weights, problem.head, problem.support)
    exact = [{name: value.double() for name, value in part.items()} for part in (problem.weights, problem.head)]
    expected = torch.func.grad(problem.loss, argnums=(0, 1))(*exact)
    for part, wanted in zip(found, expected, strict=True):
        for name, value in wanted.items():
            scale = value.abs().max().clamp(min=1e-2)  # a gradient that cancels to zero is noise in both
            assert_close(part[name] / scale, (value / scale).float(), rtol=1e-5, atol=1e-5)


@needs_kernel
@over_cases
def test_descent_is_that_of_torch_in_double_precision(case):
    problem, steps = Problem(**case), 3
    rates = torch.rand(steps, 18) * 0.1
    found = native.descent(problem.encoder, problem.weights, problem.head, problem.support, rates)
    exact = [{name: value.double() for name, value in part.items()} for part in (problem.weights, problem.head)]
    for of_step in rates.double():
        slopes = torch.func.grad(problem.loss, argnums=(0, 1))(*exact)
        each = iter(of_step)
        exact = [
            {name: value - next(each) * slope[name] for name, value in part.items()}
            for part, slope in zip(exact, slopes, strict=True)
        ]
    for part, wanted in zip(found, exact, strict=True):
        assert_close(part, {name: value.float() for name, value in wanted.items()}, rtol=1e-5, atol=1e-5)


@needs_kernel
def test_descent_without_steps_returns_the_weights_in_memory_of_their_own():
    problem = Problem(16, 3, 2)
    none = torch.zeros(0, 18)
    weights, head = native.descent(problem.encoder, problem.weights, problem.head, problem.support, none)
    assert_close((weights, head), (problem.weights, problem.head), rtol=0, atol=0)
    assert not any(weights[name].data_ptr() == value.data_ptr() for name, value in problem.weights.items())


@needs_kernel
def test_the_operator_also_returns_the_loss():
    problem = Problem(16, 3, 2, padding=2)
    values = [*problem.weights.values(), *problem.head.values()]
    found = torch.ops.handful.conv4_gradients(*problem.support[:3], values, False, 1.0)[-1]
    assert_close(found, problem.loss(problem.weights, problem.head), **CLOSE)


@needs_kernel
@pytest.mark.parametrize("shared", [True, False])
def test_a_batch_of_clients_equals_one_client_at_a_time(shared):
    problems = [Problem(32, 3, 2, padding=seed, centred=True, seed=seed) for seed in range(3)]
    encoder = problems[0].encoder
    weights = [problems[0 if shared else i].weights for i in range(3)]
    batch = [torch.stack(tensors) for tensors in zip(*(problem.support[:3] for problem in problems), strict=True)]
    heads = stacked([problem.head for problem in problems])

    def gradients(own: State, head: State, *examples: Tensor) -> tuple[State, State]:
        return native.gradients(encoder, own, head, Support(*examples, 3))

    dims = (None if shared else 0, 0, 0, 0, 0)
    together = torch.vmap(gradients, dims)(weights[0] if shared else stacked(weights), heads, *batch)
    for i, problem in enumerate(problems):
        alone = native.gradients(encoder, weights[i], problem.head, problem.support)
        assert_close(tuple({name: value[i] for name, value in part.items()} for part in together), alone)
    rates = torch.full((2, 18), 0.1)

    def descended(own: State, head: State, *examples: Tensor) -> tuple[State, State]:
        return native.descent(encoder, own, head, Support(*examples, 3), rates)

    together = torch.vmap(descended, dims)(weights[0] if shared else stacked(weights), heads, *batch)
    for i, problem in enumerate(problems):
        alone = native.descent(encoder, weights[i], problem.head, problem.support, rates)
        assert_close(tuple({name: value[i] for name, value in part.items()} for part in together), alone)
    features = torch.vmap(functools.partial(native.features, encoder), dims[:2])
    seen = features(weights[0] if shared else stacked(weights), batch[0])
    assert_close(seen[2], native.features(encoder, weights[2], batch[0][2]))


def stacked(states: list[State]) -> State:
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


@needs_kernel
def test_an_invalid_target_is_refused():
    problem = Problem(16, 3, 1)
    wrong = problem.support._replace(targets=torch.tensor([0, 1, 3]))
    given = problem.encoder, problem.weights, problem.head, wrong
    with pytest.raises(IndexError):
        native.gradients(*given)
    with pytest.raises(IndexError):
        native.descent(*given, torch.zeros(1, 18))


@needs_kernel
def test_images_of_other_channels_are_refused():
    problem = Problem(16, 3, 1)
    with pytest.raises(ValueError, match="3 channels"):
        native.features(problem.encoder, problem.weights, torch.rand(1, 3, 28, 28))


def adapted(learner: Learner, spec) -> tuple[State, Tensor]:
    """The states and answers of two clients."""
    both = [padded(learner.encode_support(support(spec, [1, 2, 1], seed)), 2) for seed in range(2)]
    supports = Support(*(torch.stack(tensors) for tensors in zip(*(one[:3] for one in both), strict=True)), 3)
    states = adapt_many(learner, supports)
    return states, predict_many(
        learner, states, torch.stack([learner.encode(query(spec, 3, seed)) for seed in range(2)])
    )


@needs_kernel
@pytest.mark.parametrize("name", STRIDED)
def test_a_learner_gives_the_same_answers_with_the_kernel_as_in_torch(name, monkeypatch):
    learner, asked = fresh(TABLE[name]), calls(monkeypatch)
    found = adapted(learner, TABLE[name])
    assert "features" in asked
    assert ("descent" in asked) == (name in DESCENDING)
    assert ("gradients" in asked) == (name in STEPPING)
    off(monkeypatch)
    asked.clear()
    assert_close(
        found, adapted(learner, TABLE[name]), rtol=1e-4, atol=5e-5
    )  # a fit adds to the differences of features
    assert not asked


def test_the_kernel_refuses_double_precision_autocast_training_and_meta_gradients():
    problem = Problem(16, 2, 1)
    encoder, weights, images = problem.encoder, problem.weights, problem.support.inputs
    assert native.takes(encoder, weights, [images]) == (build.library() is not None)
    assert not native.takes(encoder, {name: value.double() for name, value in weights.items()}, [images.double()])
    assert not native.takes(encoder, weights, [images.clone().requires_grad_()])
    with torch.autocast("cpu", torch.bfloat16):
        assert not native.takes(encoder, weights, [images])
    assert not native.takes(encoder.train(), weights, [images])


@pytest.mark.parametrize("encoder", [Conv4(width=16), Conv4(1, 8, "stride", "group"), Conv4(1, 16, "stride", "batch")])
def test_the_kernel_refuses_other_encoders(encoder):
    encoder.eval().requires_grad_(False)
    assert not native.takes(encoder, dict(encoder.named_parameters()), [])


@pytest.fixture
def unbuilt(monkeypatch, tmp_path):
    """No kernel is built, and the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build.library.cache_clear()
    yield tmp_path
    build.library.cache_clear()


def no_compiler(monkeypatch):
    monkeypatch.setattr(build, "compiler_path", lambda: None)


def broken_compiler(monkeypatch):
    monkeypatch.setattr(build, "compiler_path", lambda: "false")


def turned_off(monkeypatch):
    monkeypatch.setenv("HANDFUL_NATIVE", "0")


def open_cache(monkeypatch):
    os.makedirs(f"{os.environ['XDG_CACHE_HOME']}/handful")
    os.chmod(f"{os.environ['XDG_CACHE_HOME']}/handful", 0o777)


@pytest.mark.parametrize("obstacle", [no_compiler, broken_compiler, turned_off, open_cache])
def test_without_a_kernel_torch_gives_the_same_answers(obstacle, unbuilt, monkeypatch):
    build.library.cache_clear()
    learner, spec = fresh(TABLE["maml"]), TABLE["maml"]
    obstacle(monkeypatch)
    asked = calls(monkeypatch)
    states, answers = adapted(learner, spec)
    assert not asked
    assert build.library() is None
    alone = learner.adapt(support(spec, [1, 2, 1], 0))
    assert_close({name: value[0] for name, value in states.items()}, alone, **CLOSE)
    assert_close(answers[0], learner.predict(alone, query(spec, 3, 0)), **CLOSE)


@needs_kernel
def test_a_built_kernel_is_not_compiled_again(unbuilt, monkeypatch):
    assert build.built(build.compiler_path()).parent == unbuilt / "handful"
    monkeypatch.setattr(build.subprocess, "run", None)
    assert build.built(build.compiler_path()).exists()


LOAD = "from models.native import build; print(build.library()._name, build.compiler_path())"


@needs_kernel
def test_the_shipped_kernel_is_loaded_without_a_compiler(tmp_path):
    build.ship(tmp_path)
    environment = {"LD_LIBRARY_PATH": str(tmp_path), "PATH": "", "XDG_CACHE_HOME": str(tmp_path)}
    load = [sys.executable, "-c", LOAD]
    loaded = subprocess.run(load, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == [build.shipped_name(), "None"]
