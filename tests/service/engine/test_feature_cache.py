"""Identical inputs of a tenant are encoded once within a short time. What is known changes no answer."""

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from service.arrays import Array, SupportSet, text_array
from service.engine.feature_cache import ENTRY_BYTES, FeatureCache, keys_of
from service.settings import Settings
from tests.service.serving import working

MODEL = "glyphs"
ALICE, BOB = ("acme", "alice"), ("globex", "bob")


class Encoder:
    """Encodes a text as its length, and counts the texts."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def __call__(self, texts: Array) -> Tensor:
        self.encoded += texts.tolist()
        return torch.tensor([[len(text)] for text in texts.tolist()], dtype=torch.float32)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def features_of(cache: FeatureCache, encoder: Encoder, *texts: str, tenant: str = "acme", model: str = "texts") -> list:
    inputs = text_array(texts)
    features, count = cache.encode(keys_of(tenant, model, inputs), inputs, encoder)
    assert count <= len(texts)
    return features.flatten().tolist()


def test_identical_inputs_are_encoded_once():
    cache, encoder = FeatureCache(10**6, 60), Encoder()
    assert features_of(cache, encoder, "a", "bb", "a") == [1, 2, 1]
    assert features_of(cache, encoder, "bb", "ccc", "a") == [2, 3, 1]
    assert encoder.encoded == ["a", "bb", "ccc"]


def test_features_are_not_shared_between_tenants_and_models():
    cache, encoder = FeatureCache(10**6, 60), Encoder()
    features_of(cache, encoder, "a")
    features_of(cache, encoder, "a", tenant="globex")
    features_of(cache, encoder, "a", model="other")
    assert encoder.encoded == ["a"] * 3


def test_inputs_of_another_shape_or_type_are_other_inputs():
    zeros = [np.zeros((1, 1, 8, 2), np.uint8), np.zeros((1, 1, 4, 4), np.uint8), np.zeros((1, 1, 4, 1), np.float32)]
    assert len({key for each in zeros for key in keys_of("acme", "photos", each)}) == 3
    numbers = np.zeros((1, 1), np.uint8)
    assert keys_of("acme", "m", text_array([numbers.tobytes().decode()])) != keys_of("acme", "m", numbers)


def test_features_are_forgotten_after_their_time_even_if_they_are_used():
    clock = Clock()
    cache, encoder = FeatureCache(10**6, 60, clock), Encoder()
    features_of(cache, encoder, "a")
    clock.now = 59
    features_of(cache, encoder, "a", "b")
    assert encoder.encoded == ["a", "b"]
    clock.now = 60
    cache.expire()
    assert len(cache) == 1
    features_of(cache, encoder, "a")
    assert encoder.encoded == ["a", "b", "a"]
    clock.now = 1000
    cache.expire()
    assert (len(cache), cache.bytes) == (0, 0)


def test_the_oldest_features_make_room():
    cache, encoder = FeatureCache(2 * (4 + ENTRY_BYTES), 60), Encoder()
    features_of(cache, encoder, "a", "b", "c")
    assert (len(cache), cache.bytes) == (2, 2 * (4 + ENTRY_BYTES))
    features_of(cache, encoder, "b", "c")
    assert encoder.encoded == ["a", "b", "c"]
    features_of(cache, encoder, "a")
    assert encoder.encoded == ["a", "b", "c", "a"]


def test_features_that_do_not_fit_are_given_back_and_not_kept():
    cache, encoder = FeatureCache(1, 60), Encoder()
    assert features_of(cache, encoder, "a", "bb", "a") == [1, 2, 1]
    assert (len(cache), cache.bytes) == (0, 0)


def test_an_entry_does_not_keep_the_batch_in_memory():
    cache, encoder = FeatureCache(10**6, 60), Encoder()
    features_of(cache, encoder, "a", "b", "c")
    assert {entry.features.untyped_storage().nbytes() for entry in cache._entries.values()} == {4}


def test_changing_features_that_were_given_back_changes_no_later_ones():
    cache, encoder, inputs = FeatureCache(10**6, 60), Encoder(), text_array(["a"])
    for _ in range(3):
        features, _ = cache.encode(keys_of("acme", "texts", inputs), inputs, encoder)
        assert features.item() == 1
        features.zero_()


@pytest.mark.parametrize(
    ("tenant", "inputs", "accepted"),
    [
        ("acme", text_array(["a"]), True),
        ("acme", np.zeros((2, 3, 128, 128), np.uint8), True),
        ("acme", np.zeros((2, 1, 28, 28), np.uint8), False),
        ("acme", np.zeros((2, 10_000), np.float32), False),
        ("", text_array(["a"]), False),
    ],
)
def test_only_slow_inputs_of_a_tenant_are_looked_up(tenant, inputs, accepted):
    assert FeatureCache(10**6, 60).accepts(tenant, inputs) is accepted
    assert not FeatureCache(0, 60).accepts(tenant, inputs)


def test_threads_share_a_cache():
    cache, wrong = FeatureCache(20 * (4 + ENTRY_BYTES), 60), []

    def ask(seed: int) -> None:
        for number in np.random.default_rng(seed).integers(1, 40, (200, 5)):
            texts = ["x" * int(each) for each in number]
            if features_of(cache, Encoder(), *texts) != number.tolist():
                wrong.append(texts)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.bytes == len(cache) * (4 + ENTRY_BYTES) <= 20 * (4 + ENTRY_BYTES)


def photos(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 64, 64), dtype=np.uint8)


def photo_support(shots: int) -> SupportSet:
    return SupportSet(photos(2 * shots, 0), np.arange(2 * shots) % 2, 2)


@pytest.mark.anyio
async def test_adapts_and_predicts_reuse_what_a_tenant_sent_before(zoo, passes):
    support = photo_support(2)
    with working(Settings(models=zoo)) as worker:
        first = await worker.adapt(MODEL, "1", support, share=ALICE)
        await worker.adapt(MODEL, "2", photo_support(3), share=("acme", "carol"))
        answers = [await worker.predict(MODEL, "1", support.inputs, share=ALICE)]
        assert passes == [4, 2]
        await worker.adapt(MODEL, "3", support, share=BOB)
        answers.append(await worker.predict(MODEL, "1", support.inputs))
        assert passes == [4, 2, 4, 4], "neither another tenant nor a probe takes part"
        again = await worker.adapt(MODEL, "4", support, share=ALICE)
    np.testing.assert_array_equal(first["prototypes"], again["prototypes"])
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-4)


@pytest.mark.anyio
async def test_without_a_capacity_nothing_is_reused(zoo, passes):
    with working(Settings(models=zoo, feature_cache_bytes=0)) as worker:
        for key in "12":
            await worker.adapt(MODEL, key, photo_support(2), share=ALICE)
    assert passes == [4, 4]


@pytest.mark.anyio
async def test_a_job_that_was_cheap_because_its_inputs_were_known_teaches_nothing(zoo):
    with working(Settings(models=zoo)) as worker:
        worker.budget.measuring = True
        learned: list[float] = []
        for name in ("_adapts", "_predicts"):
            curve = getattr(worker.budget, name)[MODEL]
            curve.measure = lambda terms, amount: learned.append(amount)  # NaN says nothing
        for key in "12":
            await worker.adapt(MODEL, key, photo_support(2), share=ALICE)
            await worker.predict(MODEL, key, photos(3, 1), share=ALICE)
    assert [amount > 0 for amount in learned] == [True, True, False, False]


@pytest.mark.anyio
async def test_the_worker_drops_old_features_while_nothing_is_asked(zoo):
    with working(Settings(models=zoo)) as worker:
        clock = Clock()
        worker._features._clock = clock
        await worker.adapt(MODEL, "1", photo_support(2), share=ALICE)
        assert len(worker._features) == 4
        clock.now = 10_000
        worker.measure()
        assert len(worker._features) == 0
