"""A score for "none of these": how much a query resembles the examples of a client at all.

Lee et al. 2018, arXiv:1807.03888, score a query by its nearest class mean; Sun et al. 2022, arXiv:2204.06507, by its
nearest examples. This is the sum of a soft form of both.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 20.0
"""Factor of the cosines to single examples, under the soft maximum."""
SPREAD_WEIGHT = EXAMPLE_WEIGHT = 0.5


def familiarity(examples: Tensor, weights: Tensor, query: Tensor) -> Tensor:
    """The familiarity of each query, (q,): low for one that belongs to no class.

    The largest cosine to a class mean, less for a class whose examples are close to one another; plus the soft maximum
    of the cosines to all examples. Its scale is the same for all clients, but where to draw the line is not: tasks with
    more classes and examples have higher scores.

    Args:
        examples: Features of length 1, (n, d). The name of a class may be among them.
        weights: The weight of each example in its class, (n, ways). A row of zeros is padding.
        query: Features of length 1, (q, d).
    """
    with torch.autocast(query.device.type, enabled=False):
        means = weights.T @ examples / weights.sum(0).unsqueeze(-1)
        to_means = query @ F.normalize(means, dim=-1).T - SPREAD_WEIGHT * means.norm(dim=-1)
        to_examples = torch.where(weights.any(-1), SHARPNESS * query @ examples.T, -torch.inf).logsumexp(-1)
        scores: Tensor = to_means.amax(-1) + EXAMPLE_WEIGHT / SHARPNESS * to_examples
        return scores
