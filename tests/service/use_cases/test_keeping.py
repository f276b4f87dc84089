"""Which examples of a class stay: never more than asked, the same in any order, and an even sample."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from service.store.examples import Example
from service.use_cases.keeping import places_kept

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def example(name: str) -> Example:
    return Example(name, NOW, "digest", b"")


def kept(pairs, keep, *, classes=True) -> list:
    """The (id, label) pairs that stay."""
    examples = [example(name) for name, _ in pairs]
    places = places_kept(examples, [label for _, label in pairs], keep, classes=classes)
    assert places == sorted(set(places))
    return [pairs[place] for place in places]


NAMES = st.text("abcdef0123456789", min_size=1, max_size=8)
SINGLE = st.dictionaries(NAMES, st.sampled_from(["cat", "dog", "owl"]), max_size=40).map(lambda all: list(all.items()))
SEVERAL = st.dictionaries(NAMES, st.lists(st.sampled_from(["cat", "dog", "owl"]), unique=True), max_size=40).map(
    lambda all: list(all.items())
)
KEEP = st.integers(1, 6)


@given(SINGLE, KEEP)
def test_each_class_keeps_as_many_as_it_may(pairs, keep):
    before, after = (Counter(label for _, label in some) for some in (pairs, kept(pairs, keep)))
    assert after == {label: min(keep, count) for label, count in before.items()}


@given(SINGLE, KEEP, st.integers(0, 40))
def test_the_same_examples_stay_whether_they_come_at_once_or_in_parts(pairs, keep, first):
    assert kept(kept(pairs[:first], keep) + pairs[first:], keep) == kept(pairs, keep)


@given(SINGLE, KEEP, st.randoms(use_true_random=False))
def test_the_same_examples_stay_in_any_order(pairs, keep, random):
    shuffled = random.sample(pairs, len(pairs))
    assert set(kept(shuffled, keep)) == set(kept(pairs, keep))


@given(SEVERAL, KEEP, st.integers(0, 40))
def test_an_example_of_several_classes_stays_if_one_of_them_keeps_it(pairs, keep, first):
    stay = kept(pairs, keep)
    assert kept(kept(pairs[:first], keep) + pairs[first:], keep) == stay
    for label in ("cat", "dog", "owl"):
        own, before = ([pair for pair in some if label in pair[1]] for some in (stay, pairs))
        assert len(own) >= min(keep, len(before))
    assert len(stay) <= 4 * keep  # the fourth group has no label


@given(st.dictionaries(NAMES, st.floats(-1, 1), max_size=30).map(lambda all: list(all.items())), KEEP)
def test_a_regression_keeps_so_many_points_in_all(pairs, keep):
    assert len(kept(pairs, keep, classes=False)) == min(keep, len(pairs))


def test_the_kept_examples_are_an_even_sample_of_all():
    pairs = [(f"ticket-{number}", "refund") for number in range(4000)]
    stay = kept(pairs, 400)
    quarters = Counter(int(name.removeprefix("ticket-")) // 1000 for name, _ in stay)
    assert min(quarters.values()) > 70  # 100 are expected of each; 70 is 3.5 standard deviations below
