"""The score for "none of these" is high for queries like the examples, and depends on nothing but these."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.familiarity import familiarity

WAYS, SHOTS, DIM = 4, 3, 16


@pytest.fixture
def client() -> tuple[Tensor, Tensor]:
    """Examples of four classes around directions of their own, and their weights."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(DIM)[:WAYS].repeat_interleave(SHOTS, 0)
    examples = F.normalize(centres + 0.1 * torch.randn(WAYS * SHOTS, DIM, generator=generator), dim=-1)
    return examples, F.one_hot(torch.arange(WAYS).repeat_interleave(SHOTS), WAYS).float()


def test_a_query_of_a_class_is_more_familiar_than_one_of_none(client):
    known, unknown = torch.eye(DIM)[:WAYS], torch.eye(DIM)[WAYS:]
    assert familiarity(*client, known).min() > familiarity(*client, unknown).max() + 0.3


def test_padding_order_and_other_queries_change_nothing(client):
    examples, weights = client
    query = F.normalize(torch.randn(5, DIM), dim=-1)
    scores = familiarity(examples, weights, query)
    padded = familiarity(F.pad(examples, (0, 0, 0, 3), value=9.0), F.pad(weights, (0, 0, 0, 3)), query)
    order, classes = torch.randperm(len(examples)), torch.randperm(WAYS)
    torch.testing.assert_close(padded, scores)
    torch.testing.assert_close(familiarity(examples[order], weights[order][:, classes], query), scores)
    torch.testing.assert_close(familiarity(examples, weights, query[:1]), scores[:1])


def test_a_batch_of_clients_is_scored_as_one_at_a_time(client):
    examples, weights = client
    query = F.normalize(torch.randn(2, 5, DIM), dim=-1)
    batch = torch.stack([examples, examples.flip(-1)])
    together = torch.vmap(familiarity, (0, None, 0))(batch, weights, query)
    for i in range(2):
        torch.testing.assert_close(together[i], familiarity(batch[i], weights, query[i]))
