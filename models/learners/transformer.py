"""An in-context transformer, which reads the support as a set of labelled tokens and adapts nothing by gradients.

Fifty et al. 2024, "Context-Aware Meta-Learning" (CAML), arXiv:2310.10971; after SNAIL: Mishra et al. 2018, "A Simple
Neural Attentive Meta-Learner", arXiv:1707.03141.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.learner import Learner, State, Support


class InContextTransformer(Learner):
    """A transformer without positions predicts the label of a query, which is one more token of the set that it reads.

    A token is an embedding and a label vector. The label vectors are the corners of a regular simplex, so that no two
    slots are more alike than others (CAML, section 3); a query has a learned vector for "unknown". The answers are the
    inner products of the label half of the query's output with the label vectors.

    Each query attends to the support and to itself. The support attends to itself only, where CAML lets it attend to
    the query too: `adapt` therefore reads the support once, and a query costs one token against stored keys and
    values. Fewer classes than `outputs` take the first slots.

    Args:
        encoder: The encoder that all clients share.
        outputs: Most classes of a task; at most half the width.
        layers: Transformer layers.
        heads: Attention heads.
        width: Length of a token.
    """

    algorithm = "In-context transformer"
    paper = "Fifty et al. 2024, arXiv:2310.10971; Mishra et al. 2018, arXiv:1707.03141"

    labels: Tensor

    def __init__(self, encoder: Encoder, outputs: int = 20, layers: int = 3, heads: int = 4, width: int = 128) -> None:
        super().__init__()
        self.max_ways, self.encoder = outputs, encoder
        half = width // 2
        self.embed = nn.Sequential(nn.LayerNorm(encoder.feature_dim), nn.Linear(encoder.feature_dim, half))
        self.register_buffer("labels", F.pad(simplex(outputs), (0, half - outputs)), persistent=False)
        self.label_scale = nn.Parameter(torch.tensor(math.sqrt(half) / 2))  # about as long as an embedding
        self.unknown = nn.Parameter(torch.zeros(half))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def encode(self, inputs: Tensor) -> Tensor:
        """Embeddings (n, width / 2)."""
        embeddings: Tensor = self.embed(native.encode(self.encoder, inputs))
        return embeddings

    def adapt(self, support: Support) -> State:
        """Keys and values of the support in each layer, (layers, n, 2 * width), and its one-hot labels (n, ways). The
        label of padding is all zeros."""
        given = F.one_hot(support.targets, support.ways).to(self.labels.dtype) * support.mask.unsqueeze(-1)
        label_vectors = self.label_scale * given @ self.labels[: support.ways]
        tokens = torch.cat([support.inputs, label_vectors], -1)
        memories = []
        for block in cast(list[Block], self.blocks):
            memories.append(block.memory(tokens))
            tokens = block(tokens, memories[-1], support.mask)
        return {"memories": torch.stack(memories), "given": given}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways)."""
        real = state["given"].any(-1)
        mask = torch.cat([real, torch.ones_like(real[:1])])
        tokens = torch.cat([query, self.unknown.expand(query.shape[0], -1)], -1).unsqueeze(1)
        for block, memory in zip(cast(list[Block], self.blocks), state["memories"], strict=True):
            memories = torch.cat([memory.expand(query.shape[0], -1, -1), block.memory(tokens)], 1)
            tokens = block(tokens, memories, mask)
        _, label_half = self.norm(tokens.squeeze(1)).chunk(2, -1)
        answers: Tensor = label_half @ self.labels[: state["given"].shape[1]].T
        return answers


class Block(nn.Module):
    """A pre-norm layer of attention and an MLP. Queries may come from other tokens than keys and values.

    The initial weights are a matching network: keys equal queries, so attention goes to similar tokens, values come
    back unchanged, labels included, and the MLP adds nothing. From a random start, training finds this late or never.
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
        """Tokens (..., t, width) after attention to a memory (..., n, 2 * width) where the mask (n,) is True."""
        keys, values = memory.chunk(2, -1)
        tokens = tokens + self.mix(attention(self.ask(self.norm(tokens)), keys, values, mask, self.heads))
        added: Tensor = self.think(tokens)
        return tokens + added


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2).

    Args:
        queries: (..., t, width).
        keys: (..., n, width).
        values: (..., n, width).
        mask: (n,); True where a key may be attended to.
        heads: Number of heads.
    """
    queries, keys, values = (_split(each, heads) for each in (queries, keys, values))
    scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
    return (torch.where(mask, scores, -torch.inf).softmax(-1) @ values).transpose(-2, -3).flatten(-2)


def _split(tokens: Tensor, heads: int) -> Tensor:
    """(..., t, width) to (..., heads, t, width / heads)."""
    return tokens.reshape(*tokens.shape[:-1], heads, -1).transpose(-2, -3)


def simplex(corners: int) -> Tensor:
    """Unit vectors (corners, corners) from the centre of a regular simplex to its corners.

    Any two have the inner product -1 / (corners - 1): CAML's ELMES, without the rotation, which the next layers can
    learn.
    """
    return math.sqrt(corners / (corners - 1)) * (torch.eye(corners) - 1 / corners)
