"""The in-context transformer against torch's own attention, and what each token may see."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.learner import Support
from models.learners.transformer import Block, InContextTransformer, attention, simplex

TIGHT = {"rtol": 1e-9, "atol": 1e-9}
EXACT = {"rtol": 0, "atol": 0}


class Space(nn.Identity):
    feature_dim = 6


def learner_of(outputs: int = 5) -> InContextTransformer:
    """With weights that are no longer the special ones of the start."""
    torch.manual_seed(0)
    learner = InContextTransformer(Space(), outputs=outputs, layers=2, heads=2, width=16).double()
    for weight in learner.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return learner.requires_grad_(False)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def support_of(labels: list[int], seed: int = 0) -> Support:
    mask = torch.ones(len(labels), dtype=torch.bool)
    return Support(normal(len(labels), 6, seed=seed), torch.tensor(labels), mask, max(labels) + 1)


@pytest.mark.parametrize("corners", [2, 5, 20])
def test_label_vectors_are_of_length_one_and_at_equal_angles(corners):
    angles = simplex(corners) @ simplex(corners).T
    expected = torch.full((corners, corners), -1 / (corners - 1)).fill_diagonal_(1.0)
    assert_close(angles, expected)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_equals_that_of_torch(heads):
    reference = nn.MultiheadAttention(8, heads, bias=False, batch_first=True).double().requires_grad_(False)
    tokens, memory, mask = normal(3, 8), normal(5, 8, seed=1), torch.tensor([True, False, True, True, False])
    ask, key, value = reference.in_proj_weight.chunk(3)
    ours = attention(tokens @ ask.T, memory @ key.T, memory @ value.T, mask, heads) @ reference.out_proj.weight.T
    theirs, _ = reference(tokens[None], memory[None], memory[None], key_padding_mask=~mask[None])
    assert_close(ours, theirs[0], **TIGHT)


def test_answers_equal_those_of_torch_on_one_masked_sequence_per_query():
    learner, full, query = learner_of(), support_of([0, 1, 2, 2, 1]), normal(4, 6, seed=1)
    expected = torch.stack([answers_of_one_sequence(learner, full, asked) for asked in query])
    assert_close(learner.answer(full, query), expected, **TIGHT)


def answers_of_one_sequence(learner: InContextTransformer, full: Support, asked: Tensor) -> Tensor:
    """Support and query as one sequence through torch's own encoder layers; the support does not see the query."""
    n = len(full.mask)
    labels = torch.cat([learner.label_scale * learner.labels[full.targets], learner.unknown[None]])
    tokens = torch.cat([learner.embed(torch.cat([full.inputs, asked[None]])), labels], 1)
    hidden = torch.zeros(n + 1, n + 1, dtype=torch.bool)
    hidden[:n, n] = True
    for block in learner.blocks:
        tokens = torch_layer(block)(tokens, src_mask=hidden)
    return learner.norm(tokens[n])[8:] @ learner.labels[: full.ways].T


def torch_layer(block: Block) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(16, block.heads, 64, dropout=0.0, activation="gelu", norm_first=True).double()
    weights = {
        "self_attn.in_proj_weight": torch.cat([block.ask.weight, block.key.weight, block.value.weight]),
        "self_attn.in_proj_bias": torch.zeros(48, dtype=torch.float64),
        "self_attn.out_proj.weight": block.mix.weight,
        "self_attn.out_proj.bias": torch.zeros(16, dtype=torch.float64),
    }
    parts = {"norm1": block.norm, "norm2": block.think[0], "linear1": block.think[1], "linear2": block.think[3]}
    for name, part in parts.items():
        weights |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
    layer.load_state_dict(weights)
    return layer.requires_grad_(False)


def test_the_state_holds_keys_and_values_of_every_layer():
    learner, full = learner_of(), support_of([0, 1, 2, 2])
    full = learner.encode_support(full)
    state = learner.adapt(full)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {"memories": (2, 4, 32), "given": (4, 3)}
    tokens = torch.cat([full.inputs, learner.label_scale * learner.labels[full.targets]], 1)
    normalised = learner.blocks[0].norm(tokens)
    keys, values = normalised @ learner.blocks[0].key.weight.T, normalised @ learner.blocks[0].value.weight.T
    assert_close(state["memories"][0], torch.cat([keys, values], 1), **TIGHT)


def test_a_query_does_not_see_another():
    learner, query, full = learner_of(), normal(3, 6, seed=1), support_of([0, 1, 2])
    other = torch.cat([query[:1], 100 * query[1:]])
    assert_close(learner.answer(full, other)[0], learner.answer(full, query)[0], **TIGHT)


def test_answers_depend_on_the_labels():
    learner, full, query = learner_of(), support_of([0, 1, 2]), normal(3, 6, seed=1)
    turned = full._replace(targets=torch.tensor([1, 2, 0]))
    answers, others = (learner.answer(each, query) for each in (full, turned))
    assert not torch.allclose(answers, others)


@pytest.mark.parametrize("ways", [2, 3, 5])
def test_fewer_classes_take_the_first_slots(ways):
    learner = learner_of(outputs=5)
    answers = learner.answer(support_of([*range(ways)]), normal(4, 6, seed=1))
    assert answers.shape == (4, ways)
    assert learner.max_ways == 5


def test_an_untrained_learner_gives_a_query_the_label_of_an_equal_example():
    torch.manual_seed(0)
    learner = InContextTransformer(Space(), outputs=5, layers=1, heads=1, width=64).double().requires_grad_(False)
    full = support_of([0, 1, 2, 3, 4])
    assert learner.answer(full, full.inputs).argmax(-1).tolist() == [0, 1, 2, 3, 4]


def test_the_label_vectors_are_neither_trained_nor_kept_in_a_checkpoint():
    learner = learner_of()
    assert "labels" not in {*learner.state_dict(), *dict(learner.named_parameters())}
    assert_close(learner.labels[:, 5:], torch.zeros(5, 3, dtype=torch.float64), **EXACT)
