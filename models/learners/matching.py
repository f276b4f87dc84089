"""Matching networks: Vinyals et al. 2016, "Matching Networks for One Shot Learning".

arXiv:1606.04080
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.learner import Contributions, Learner, State, Support
from models.recurrent import lstm_step


class MatchingNet(Learner):
    """A query's class probabilities are its attention over the support examples, summed by class (equation 1).

    The attention is the softmax of cosines (section 2.1.1) times a learned scale, which the paper does not have: the
    softmax of numbers between -1 and 1 is never sharp. A class with more examples gets more votes, as in the paper.

    Args:
        encoder: The encoder that all clients share.
        scale: Initial scale of the cosines.
        full_context: Embed the examples in the context of each other, and the queries in that of the examples
            (section 2.1.2, appendix A). The LSTM over the support makes its order matter.
        attention_steps: Steps in which a query reads from the support, with `full_context`.
    """

    algorithm = "Matching networks"
    paper = "Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra 2016, arXiv:1606.04080"
    explains = "votes"

    def __init__(
        self, encoder: Encoder, scale: float = 10.0, full_context: bool = False, attention_steps: int = 5
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.order_sensitive = full_context
        self.context = FullContext(encoder.feature_dim, attention_steps) if full_context else None

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        return native.encode(self.encoder, inputs)

    def adapt(self, support: Support) -> State:
        """Embeddings (n, d) and one-hot labels (n, ways) of the examples. The label of padding is all zeros."""
        embeddings, mask = support.inputs, support.mask
        if self.context is not None:
            embeddings = self.context.of_support(embeddings, mask)
        labels = F.one_hot(support.targets, support.ways).to(embeddings.dtype) * mask.unsqueeze(-1)
        return {"embeddings": embeddings.clone(memory_format=torch.contiguous_format), "labels": labels}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logarithms of the class probabilities, (q, ways)."""
        return self.log_votes(self.similarities(state, query), state["labels"])

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """The attention of the query to each example, with the sign of its class: its vote.

        The votes add up to the difference of two class probabilities (equation 1), before any temperature. With
        `full_context` the embeddings depend on all examples; the votes are those of the embeddings. The base is 0.
        """
        state = self.adapt(support)
        similarities = self.similarities(state, query)
        attention = torch.where(support.mask, similarities, -torch.inf).softmax(-1)
        return Contributions(attention * (contrast @ state["labels"].T), attention.new_zeros(len(query)))

    def similarities(self, state: State, query: Tensor) -> Tensor:
        """Scaled cosines (q, n) of queries to the examples."""
        embeddings = state["embeddings"]
        if self.context is not None:
            query = self.context.of_query(query, embeddings, state["labels"].any(-1))
        cosines = F.normalize(query, dim=-1) @ F.normalize(embeddings, dim=-1).T
        return cosines * self.log_scale.exp()

    def log_votes(self, similarities: Tensor, labels: Tensor) -> Tensor:
        """Logarithms of the softmax of similarities (q, n), summed by class: (q, ways)."""
        by_class = torch.where(labels > 0, similarities.unsqueeze(-1), -torch.inf)
        return by_class.logsumexp(1).log_softmax(-1)


class FullContext(nn.Module):
    """Full context embeddings (appendix A): a bidirectional LSTM over the support, and for queries an LSTM with
    attention over the support. Padding is skipped."""

    def __init__(self, feature_dim: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.ahead, self.back = (nn.LSTMCell(feature_dim, feature_dim) for _ in range(2))
        self.attention = nn.LSTMCell(2 * feature_dim, feature_dim)

    def of_support(self, features: Tensor, mask: Tensor) -> Tensor:
        """g, (n, d): the features (n, d) plus the hidden states of both directions (A.2)."""
        ahead = _hidden_states(self.ahead, features, mask)
        back = _hidden_states(self.back, features.flip(0), mask.flip(0)).flip(0)
        return features + ahead + back

    def of_query(self, features: Tensor, support: Tensor, mask: Tensor) -> Tensor:
        """f, (q, d): features (q, d) after `steps` reads from the support (n, d) (A.1, equations 3 to 6).

        The result of a read is concatenated with the inputs; the paper concatenates it with the hidden state. Both
        enter through a linear map, so the two are equivalent. The paper does not give h_0; here it is the features.
        """
        hidden, memory = features, torch.zeros_like(features)
        for _ in range(self.steps):
            attention = torch.where(mask, hidden @ support.T, -torch.inf).softmax(-1)
            inputs = torch.cat([features, attention @ support], -1)
            hidden, memory = lstm_step(self.attention, inputs, hidden, memory)
            hidden = hidden + features
        return hidden


def _hidden_states(cell: nn.LSTMCell, features: Tensor, mask: Tensor) -> Tensor:
    """The hidden state after each of the features (n, d). Padding leaves it unchanged."""
    hidden = memory = torch.zeros_like(features[0])
    states = []
    for inputs, real in zip(features, mask, strict=True):
        following = lstm_step(cell, inputs, hidden, memory)
        hidden, memory = torch.where(real, following[0], hidden), torch.where(real, following[1], memory)
        states.append(hidden)
    return torch.stack(states)
