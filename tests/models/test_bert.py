"""The fast BERT gives the library's answers, also after its weights have changed."""

import copy

import pytest
import torch
from torch.testing import assert_close

from models.encoders.bert import FastBert, suits

transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")


def network(**options: object) -> "transformers.BertModel":
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=16, **options,
    )  # fmt: skip
    return transformers.BertModel(config).eval().requires_grad_(False)


def tokens(*lengths: int) -> dict[str, torch.Tensor]:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(30, mask.shape, generator=torch.Generator().manual_seed(1)) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def real(hidden: torch.Tensor, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The hidden states of real tokens, which alone matter."""
    return hidden[given["attention_mask"].bool()]


@pytest.mark.parametrize("lengths", [(1,), (7,), (3, 16, 9), (5, 5)])
def test_hidden_states_are_those_of_the_library(lengths):
    library, given = network(), tokens(*lengths)
    expected = library(**given).last_hidden_state
    assert_close(real(FastBert().hidden(library, given), given), real(expected, given), rtol=0, atol=1e-6)


def test_bfloat16_under_autocast_is_close():
    library, given, fast = network(), tokens(3, 16, 9), FastBert()
    with torch.autocast("cpu", torch.bfloat16):
        reduced = fast.hidden(library, given)
    assert reduced.dtype is torch.float32
    exact = fast.hidden(library, given)
    assert 0 < (reduced - exact).abs().max() < 0.05


def test_weights_that_are_trained_loaded_or_replaced_are_used():
    library, given, fast = network(), tokens(4), FastBert()
    fast.hidden(library, given)
    weight = library.encoder.layer[1].output.dense.weight
    with torch.no_grad():
        weight.mul_(3)
    assert_close(fast.hidden(library, given), library(**given).last_hidden_state)
    library.load_state_dict({name: 2 * value for name, value in library.state_dict().items()})
    assert_close(fast.hidden(library, given), library(**given).last_hidden_state)


def test_a_copy_with_the_same_weights_shares_and_one_with_others_does_not_interfere():
    library, given, fast = network(), tokens(4), FastBert()
    expected = fast.hidden(library, given)
    memo = {id(each): each for each in (*library.parameters(), *library.buffers())}
    twin, fast_twin = copy.deepcopy((library, fast), memo)
    assert fast_twin.layers(twin, torch.float32) is fast.layers(library, torch.float32)
    other, fast_other = copy.deepcopy((library, fast))
    with torch.no_grad():
        other.encoder.layer[0].output.dense.weight.zero_()
    assert (fast_other.hidden(other, given) - expected).abs().max() > 0.01
    assert_close(fast.hidden(library, given), expected)


@pytest.mark.parametrize(("options", "fits"), [({}, True), ({"hidden_act": "relu"}, False)])
def test_only_networks_of_this_form_are_taken(options, fits):
    assert suits(network(**options)) is fits
