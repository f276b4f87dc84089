"""An average of kernel ridge regressions for rows of a table: closed form, no training."""

from torch import Tensor

from models.learner import State
from models.learners.averaged_kernels import AveragedKernels
from models.learners.column_kernels import kernels, relevance, scaling


class KernelHead(AveragedKernels):
    """Kernel ridge regression on the columns of a table, which are scaled, ranked and weighted by their relevance.

    NaN marks a missing number. Arguments as in `AveragedKernels`; the encoder is "identity" for rows of a table.
    """

    algorithm = "Averaged kernel ridge regression"

    def known(self, rows: Tensor, mask: Tensor, residuals: Tensor) -> State:
        """The scaled rows, and the relevance of each column."""
        scaled = scaling(rows, mask)
        return scaled | relevance(scaled, residuals, mask)

    def kernels(self, queries: Tensor, known: State) -> Tensor:
        """Linear and RBF kernels of the values, Laplace kernels of the ranks."""
        return kernels(queries, known)
