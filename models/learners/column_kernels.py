"""Kernels between rows of a table: features are scaled, ranked and weighted by one client's support set."""

import math

import torch
from torch import Tensor

from models.learner import State

KERNELS = 5
"""Linear, RBF at two widths; on ranks weighted by relevance: Laplace, and additive Laplace."""
FLOOR = 0.3
"""Relevance of every feature, beside what its correlation adds; a feature of noise has about 1."""
CHUNK = 16
"""Features whose distances are made at once, which bounds the memory."""
TINY = 1e-12


def scaling(inputs: Tensor, mask: Tensor) -> State:
    """How to scale the features of a client.

    Features that are only 0 and 1 keep their unit: a category that differs then counts as much as a number that
    differs by the usual amount. A missing number takes the mean, and a feature of its own says that it is missing.

    Args:
        inputs: Rows (n, d), NaN where a number is missing.
        mask: (n,) False for padding.

    Returns:
        `rows` (n, d) with 0 for what is missing, `seen` (n, d), and `mean`, `scale` and `gaps` (d,).
    """
    seen = ~inputs.isnan() & mask.unsqueeze(-1)
    rows = torch.where(seen, inputs, 0.0)
    count = seen.sum(0).clamp(min=1)
    mean = rows.sum(0) / count
    spread = (torch.where(seen, rows - mean, 0.0).square().sum(0) / count).sqrt()
    binary = (~seen | (rows == 0) | (rows == 1)).all(0)
    varies = spread > 1e-6 * mean.abs() + TINY
    scale = torch.where(varies, torch.where(binary, 1.0, 1 / spread.clamp(min=TINY)), 0.0)
    gaps = ((inputs.isnan() & mask.unsqueeze(-1)).any(0) & seen.any(0)).to(rows.dtype)
    return {"rows": rows, "seen": seen.to(rows.dtype), "mean": mean, "scale": scale, "gaps": gaps}


def kernels(queries: Tensor, known: State) -> Tensor:
    """The kernels (KERNELS, q, n) between queries (q, d) and the support rows (n, d). NaN marks a missing number."""
    rows, missing = _rows(known), queries.isnan() * known["gaps"]
    size = known["scale"].gt(0).sum() + known["gaps"].sum() + TINY
    gaps = rows.isnan() * known["gaps"]
    linear, euclidean = _of_values(
        torch.cat([standardised(queries, known), missing], -1), torch.cat([standardised(rows, known), gaps], -1), size
    )
    city, additive = _of_ranks(ranked(queries, known), ranked(rows, known), known["weights"])
    differ = _differ(missing, gaps, known["gap_weights"])
    city, additive = city + differ, additive + (math.exp(-2) - 1) * differ
    return torch.stack([linear, (-euclidean / 4).exp(), (-euclidean).exp(), (-city).exp(), additive])


def relevance(known: State, targets: Tensor, mask: Tensor) -> State:
    """The weights of the ranked features, and those of the gaps, (d,) each. Together they sum to 1.

    Args:
        known: What `scaling` gives.
        targets: Centred one-hot labels or values (n, outputs), zeros for padding.
        mask: (n,) False for padding.
    """
    rows = _rows(known)
    features = torch.cat([ranked(rows, known), rows.isnan() * known["gaps"]], -1)
    features = torch.where(mask.unsqueeze(-1), features, 0.0)
    features = torch.where(mask.unsqueeze(-1), features - features.sum(0) / mask.sum(), 0.0)
    squares = features.square().sum(0)
    correlation = (features.T @ targets).square().sum(-1) / (squares * targets.square().sum() + TINY)
    weights = torch.where(squares > TINY, correlation * (mask.sum() - 1) + FLOOR, 0.0)
    of_ranks, gaps = (weights / (weights.sum() + TINY)).chunk(2)
    return {"weights": of_ranks.clone(), "gap_weights": gaps.clone()}


def _rows(known: State) -> Tensor:
    """The support rows, NaN where a number is missing."""
    return torch.where(known["seen"] > 0, known["rows"], torch.nan)


def _of_values(a: Tensor, b: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The linear kernel, and squared distances; both for each feature."""
    inner = a @ b.T
    squared = a.square().sum(-1, keepdim=True) - 2 * inner + b.square().sum(-1)
    return inner / size, squared.clamp(min=0) / size


def _of_ranks(a: Tensor, b: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted city-block distances, and the additive Laplace kernel."""
    city = additive = a.new_zeros(a.shape[0], b.shape[0])
    for some, others, weight in zip(*(torch.split(each, CHUNK, -1) for each in (a, b, weights)), strict=True):
        distances = (some.unsqueeze(1) - others).abs()
        city, additive = city + distances @ weight, additive + (-2 * distances).exp() @ weight
    return city, additive + 1 - weights.sum()


def _differ(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """The weights of the gaps that only one of two rows has, (q, n)."""
    return (a @ weights).unsqueeze(-1) + b @ weights - 2 * (a * weights) @ b.T


def standardised(rows: Tensor, known: State) -> Tensor:
    """Standardised features (n, d)."""
    return torch.where(rows.isnan(), 0.0, (rows - known["mean"]) * known["scale"]).clamp(-10, 10)


def ranked(rows: Tensor, known: State) -> Tensor:
    """Mid-ranks among the support, scaled to a variance of about 1, (n, d)."""
    seen, missing = known["seen"] > 0, rows.isnan()
    order = torch.where(seen, known["rows"], torch.inf).T.sort(-1).values.contiguous()
    values = torch.where(missing, known["mean"], rows).T.contiguous()
    count = seen.sum(0).clamp(min=1).unsqueeze(-1)
    twice = _below(order, values) + _below(order, values, right=True)
    ranks = 12**0.5 * (twice / (2 * count) - 0.5)
    return torch.where(missing, 0.0, ranks.to(rows.dtype).T) * (known["scale"] > 0)


def _below(order: Tensor, values: Tensor, *, right: bool = False) -> Tensor:
    """How many numbers of each row of `order` (d, n), which is sorted, are less than each of `values` (d, q); with
    `right`, not more. ONNX has no search, so that an exported network compares all pairs."""
    if not torch.compiler.is_exporting():
        return torch.searchsorted(order, values, right=right)
    numbers, others = order.unsqueeze(1), values.unsqueeze(-1)
    return (numbers <= others if right else numbers < others).sum(-1)
