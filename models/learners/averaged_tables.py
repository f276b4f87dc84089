"""The average of two learners of tables that err in different ways."""

import math
from typing import Any

import torch
from torch import Tensor

from models.encoders import Encoder
from models.learner import State, Support
from models.learners.kernels import KernelHead
from models.learners.maml import part
from models.learners.tables_in_context import TablesInContext

KERNELS = "kernels."


class AveragedTables(TablesInContext):
    """The mean of the probabilities of an in-context transformer and of averaged kernel ridge regression.

    The state is that of both. The weights of the transformer are those of a `TablesInContext`.

    Args:
        encoder: The encoder that all clients share; "identity" for rows of a table.
        options: Those of `TablesInContext`.
    """

    algorithm = "Average of an in-context transformer and kernel ridge regression"

    def __init__(self, encoder: Encoder, **options: Any) -> None:
        super().__init__(encoder, **options)
        self.kernels = KernelHead(encoder)

    def adapt(self, support: Support) -> State:
        """The state of the transformer, and that of the kernels under names that begin with `kernels.`"""
        return super().adapt(support) | {
            f"{KERNELS}{name}": value for name, value in self.kernels.adapt(support).items()
        }

    def predict(self, state: State, query: Tensor) -> Tensor:
        """The logarithms of the mean probabilities (q, ways)."""
        read = super().predict(state, query).log_softmax(-1)
        solved = self.kernels.predict(part(state, KERNELS), query).log_softmax(-1)
        return torch.logaddexp(read, solved) - math.log(2)
