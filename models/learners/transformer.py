"""An in-context transformer: the support is read as a set of labelled tokens, and nothing is adapted by gradients.

Fifty et al. 2024, "Context-Aware Meta-Learning" (CAML), arXiv:2310.10971; after SNAIL: Mishra et al. 2018, "A Simple
Neural Attentive Meta-Learner", arXiv:1707.03141.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Learner, State, Support
from models.losses import at_least_float32


class InContextTransformer(Learner):
    """A transformer without positions fills in the label of a query, as one more token of the set that it reads.

    A token is an embedding beside a label vector. The label vectors are the corners of a regular simplex, so that no
    two slots are more alike than others (CAML, section 3); a query has a learned vector for "unknown". The answers are
    the inner products of the query's label half, as it comes out, with the label vectors.
    Each query attends to the support and to itself. The support attends to itself alone, where CAML lets it attend to
    the query too: so the support is read once, in `adapt`, and a query costs one token against kept keys and values.
    Up to `outputs` classes, at most half the width; fewer take the first slots.
    """

    algorithm = "In-context transformer"
    paper = "Fifty et al. 2024, arXiv:2310.10971; Mishra et al. 2018, arXiv:1707.03141"

    labels: Tensor

    def __init__(self, encoder: Encoder, outputs: int = 20, layers: int = 3, heads: int = 4, width: int = 128) -> None:
        super().__init__()
        self.max_ways, self.encoder = outputs, encoder
        half = width // 2
        self.embed = nn.Sequential(nn.LayerNorm(encoder.features), nn.Linear(encoder.features, half))
        self.register_buffer("labels", F.pad(simplex(outputs), (0, half - outputs)), persistent=False)
        self.label_scale = nn.Parameter(torch.tensor(math.sqrt(half) / 2))  # about as long as an embedding
        self.unknown = nn.Parameter(torch.zeros(half))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def adapt(self, support: Support) -> State:
        """Keys and values of the support in each layer, (layers, n, 2 * width), and its one-hot labels (n, ways), in
        which a row of zeros is padding."""
        given = F.one_hot(support.targets, support.ways).to(self.labels.dtype) * support.mask.unsqueeze(-1)
        tokens = self.tokens(support.inputs, self.label_scale * given @ self.labels[: support.ways])
        memories = []
        for block in cast(list[Block], self.blocks):
            memories.append(block.memory(tokens))
            tokens = block(tokens, memories[-1], support.mask)
        return {"memories": torch.stack(memories), "given": given}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        real = state["given"].any(-1)
        mask = torch.cat([real, torch.ones_like(real[:1])])
        tokens = self.tokens(query, self.unknown.expand(len(query), -1)).unsqueeze(1)
        for block, memory in zip(cast(list[Block], self.blocks), state["memories"], strict=True):
            memories = torch.cat([memory.expand(len(query), -1, -1), block.memory(tokens)], 1)
            tokens = block(tokens, memories, mask)
        _, filled_in = self.norm(tokens.squeeze(1)).chunk(2, -1)
        answers: Tensor = filled_in @ self.labels[: state["given"].shape[1]].T
        return answers

    def tokens(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Inputs (n, *input) and label vectors (n, width / 2) as tokens (n, width)."""
        return torch.cat([self.embed(at_least_float32(self.encoder(inputs))), labels], -1)


class Block(nn.Module):
    """A pre-norm layer of attention and of two linear maps. What attends is not always what is attended to.

    It begins as a matching network: keys like queries, so that attention goes to what is alike, values that come back
    as they were, labels among them, and nothing thought. From a random start, training finds this late or never.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.ask, self.key, self.value, self.mix = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        with torch.no_grad():
            self.key.weight.copy_(nn.init.orthogonal_(self.ask.weight))
            self.value.weight.copy_(nn.init.orthogonal_(self.mix.weight).T)
            for weight in self.think[-1].parameters():
                weight.zero_()

    def memory(self, tokens: Tensor) -> Tensor:
        """Keys and values (..., n, 2 * width) of tokens (..., n, width)."""
        tokens = self.norm(tokens)
        return torch.cat([self.key(tokens), self.value(tokens)], -1)

    def forward(self, tokens: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Tokens (..., t, width) after attending to a memory (..., n, 2 * width) where the mask (n,) is True."""
        keys, values = memory.chunk(2, -1)
        tokens = tokens + self.mix(attention(self.ask(self.norm(tokens)), keys, values, mask, self.heads))
        thought: Tensor = self.think(tokens)
        return tokens + thought


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Attention in heads (Vaswani et al. 2017, arXiv:1706.03762, section 3.2): of queries (..., t, width) to keys and
    values (..., n, width) where the mask (n,) is True."""
    queries, keys, values = (_split(each, heads) for each in (queries, keys, values))
    likeness = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
    return (torch.where(mask, likeness, -torch.inf).softmax(-1) @ values).transpose(-2, -3).flatten(-2)


def _split(tokens: Tensor, heads: int) -> Tensor:
    """(..., t, width) to (..., heads, t, width / heads)."""
    return tokens.reshape(*tokens.shape[:-1], heads, -1).transpose(-2, -3)


def simplex(corners: int) -> Tensor:
    """Unit vectors (corners, corners) from the middle of a regular simplex to its corners: every two of them have the
    inner product -1 / (corners - 1) (CAML's ELMES, without the rotation, which the layers that follow can learn)."""
    return math.sqrt(corners / (corners - 1)) * (torch.eye(corners) - 1 / corners)
